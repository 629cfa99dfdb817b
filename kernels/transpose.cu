/* The kernel that transposes small matrices and converts their elements. */
#include "kernels/transpose.h"

#include "kernels/index.cuh"

/* Neighbouring threads write neighbouring elements, and read with gaps. */
template <class From, class Into>
static __global__ void transpose(const From *from, Into *into, int elements, int rows, int columns)
{
    for (int i = dv_first_int(); i < elements; i += dv_stride_int()) {
        const int row = i % rows, column = i / rows % columns, matrix = i / (rows * columns);
        into[i] = dv_from_float<Into>(dv_to_float(from[(matrix * rows + row) * columns + column]));
    }
}

template <class From, class Into>
static int launch(const void *from, void *into, int64_t count, int64_t rows, int64_t columns,
                  void *stream)
{
    const int64_t elements = count * rows * columns;
    if (elements == 0)
        return static_cast<int>(cudaSuccess);
    if (!dv_fits(elements))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_LAUNCH((transpose<From, Into>), dv_blocks_for(elements, DV_THREADS), DV_THREADS, 0, stream,
              static_cast<const From *>(from), static_cast<Into *>(into),
              static_cast<int>(elements), static_cast<int>(rows), static_cast<int>(columns));
    return dv_launch_status();
}

int dv_launch_transpose(dv_dtype dtype, const void *from, void *into, int64_t count, int64_t rows,
                        int64_t columns, void *stream)
{
    DV_WITH_DTYPE(dtype, T, return (launch<T, T>(from, into, count, rows, columns, stream)));
}

int dv_launch_transpose_to_float(dv_dtype dtype, const void *from, float *into, int64_t count,
                                 int64_t rows, int64_t columns, void *stream)
{
    DV_WITH_DTYPE(dtype, T, return (launch<T, float>(from, into, count, rows, columns, stream)));
}
