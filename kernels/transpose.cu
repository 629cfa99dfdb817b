#include "kernels/transpose.h"

#include "kernels/index.cuh"

/* Writes neighbours, reads with gaps. */
static __global__ void transpose(const float *from, float *into, int elements, int rows,
                                 int columns)
{
    for (int i = dv_first_int(); i < elements; i += dv_stride_int()) {
        const int row = i % rows, column = i / rows % columns, matrix = i / (rows * columns);
        into[i] = from[(matrix * rows + row) * columns + column];
    }
}

int dv_launch_transpose(const float *from, float *into, int64_t count, int64_t rows,
                        int64_t columns, void *stream)
{
    const int64_t elements = count * rows * columns;
    if (elements == 0)
        return static_cast<int>(cudaSuccess);
    if (!dv_fits(elements))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_LAUNCH(transpose, dv_blocks_for(elements, DV_THREADS), DV_THREADS, 0, stream, from, into,
              static_cast<int>(elements), static_cast<int>(rows), static_cast<int>(columns));
    return dv_launch_status();
}
