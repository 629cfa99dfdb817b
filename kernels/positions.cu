/* The kernel that adds the table of positions to each sample. */
#include "kernels/positions.h"

#include "kernels/index.cuh"

template <class T>
static __global__ void add_table(const T *x, const float *table, T *y, int total, int count)
{
    for (int i = dv_first_int(); i < total; i += dv_stride_int())
        y[i] = dv_from_float<T>(dv_to_float(x[i]) + table[i % count]);
}

int dv_launch_positions(dv_dtype dtype, const void *x, const float *table, void *y, int64_t samples,
                        int64_t count, void *stream)
{
    int64_t total = samples * count;
    if (!dv_fits(total))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(add_table<T>, dv_blocks_for(total, DV_THREADS), DV_THREADS, 0, stream,
                            (const T *)x, table, (T *)y, (int)total, (int)count));
    return dv_launch_status();
}
