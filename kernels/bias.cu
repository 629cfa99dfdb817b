/* Kernels that add a bias to each row and that sum up columns. */
#include "kernels/bias.h"

#include "kernels/index.cuh"

template <class T> static __global__ void add_bias(T *y, const float *bias, int count, int columns)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int())
        y[i] = dv_from_float<T>(dv_to_float(y[i]) + bias[i % columns]);
}

enum { SUM_WARPS = 16 };

/* A block sums 32 neighbouring columns, one in each lane. Its warps share the rows. */
template <class T>
static __global__ void __launch_bounds__(SUM_WARPS *DV_WARP)
    column_sums(const T *x, float *sums, int64_t rows, int64_t columns)
{
    DV_SHARED(float, partial, SUM_WARPS *DV_WARP);
    const int64_t column = static_cast<int64_t>(blockIdx.x) * DV_WARP + dv_lane();
    float sum = 0.0F;
    for (int64_t row = dv_warp(); column < columns && row < rows; row += SUM_WARPS)
        sum += dv_to_float(x[row * columns + column]);
    partial[dv_warp() * DV_WARP + dv_lane()] = sum;
    __syncthreads();
    if (dv_warp() > 0 || column >= columns)
        return;
    float total = 0.0F;
    for (int warp = 0; warp < SUM_WARPS; warp++)
        total += partial[warp * DV_WARP + dv_lane()];
    sums[column] = total;
}

int dv_launch_bias(dv_dtype dtype, void *y, const float *bias, int64_t rows, int64_t columns,
                   void *stream)
{
    const int64_t count = rows * columns;
    if (count == 0)
        return static_cast<int>(cudaSuccess);
    if (!dv_fits(count))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH((add_bias<T>), dv_blocks_for(count, DV_THREADS), DV_THREADS, 0, stream,
                            static_cast<T *>(y), bias, static_cast<int>(count),
                            static_cast<int>(columns)));
    return dv_launch_status();
}

int dv_launch_column_sums(dv_dtype dtype, const void *x, float *sums, int64_t rows, int64_t columns,
                          void *stream)
{
    if (columns == 0)
        return static_cast<int>(cudaSuccess);
    const dim3 grid(dv_divide_up(columns, DV_WARP));
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH((column_sums<T>), grid, SUM_WARPS * DV_WARP, 0, stream,
                            static_cast<const T *>(x), sums, rows, columns));
    return dv_launch_status();
}
