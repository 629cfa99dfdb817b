#include "kernels/scale.h"

#include "kernels/columns.cuh"
#include "kernels/index.cuh"

template <class T>
__global__ void channel_scale(const T *x, const T *gate, T *y, int count, int sample, int channels)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        float factor = dv_to_float(gate[i / sample * channels + i % channels]);
        y[i] = dv_from_float<T>(dv_to_float(x[i]) * factor);
    }
}

/* A block has one sample (blockIdx.x) and some channels. */
template <class T>
__global__ void channel_scale_backward(const T *x, const T *gate, const T *dy, T *dx, T *dgate,
                                       int positions, int channels)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * DV_WARP);
    int c = (int)(blockIdx.y * blockDim.x + threadIdx.x);
    int place = (int)blockIdx.x * channels + c;
    float2 sum = make_float2(0.0F, 0.0F);
    if (c < channels) {
        float factor = dv_to_float(gate[place]);
        for (int row = (int)threadIdx.y; row < positions; row += (int)blockDim.y) {
            int i = ((int)blockIdx.x * positions + row) * channels + c;
            float gradient = dv_to_float(dy[i]);
            sum.x += gradient * dv_to_float(x[i]);
            if (dx != nullptr)
                dx[i] = dv_from_float<T>(gradient * factor);
        }
    }
    sum = dv_column_sums(sum, shared);
    if (dgate != nullptr && c < channels && threadIdx.y == 0)
        dgate[place] = dv_from_float<T>(sum.x);
}

template <class T>
__global__ void spatial_scale(const T *x, const T *gate, T *y, int count, int channels)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int())
        y[i] = dv_from_float<T>(dv_to_float(x[i]) * dv_to_float(gate[i / channels]));
}

/* A warp has a row. */
template <class T>
__global__ void spatial_scale_backward(const T *x, const T *gate, const T *dy, T *dx, T *dgate,
                                       int rows, int channels)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        float factor = dv_to_float(gate[row]), sum = 0.0F;
        for (int c = dv_lane(); c < channels; c += DV_WARP) {
            int i = row * channels + c;
            float gradient = dv_to_float(dy[i]);
            sum += gradient * dv_to_float(x[i]);
            if (dx != nullptr)
                dx[i] = dv_from_float<T>(gradient * factor);
        }
        sum = dv_warp_sum(sum);
        if (dgate != nullptr && dv_lane() == 0)
            dgate[row] = dv_from_float<T>(sum);
    }
}

int dv_launch_channel_scale(dv_dtype dtype, const void *x, const void *gate, void *y,
                            int64_t samples, int64_t positions, int64_t channels, void *stream)
{
    int64_t sample = positions * channels, count = samples * sample;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(channel_scale<T>, grid, DV_THREADS, 0, stream, (const T *)x,
                            (const T *)gate, (T *)y, (int)count, (int)sample, (int)channels));
    return dv_launch_status();
}

int dv_launch_channel_scale_backward(dv_dtype dtype, const void *x, const void *gate,
                                     const void *dy, void *dx, void *dgate, int64_t samples,
                                     int64_t positions, int64_t channels, void *stream)
{
    if (!dv_fits(samples * positions * channels))
        return (int)cudaErrorInvalidValue;
    dim3 block = dv_column_block(positions, channels, DV_WARP, DV_THREADS);
    dim3 grid((unsigned)samples, dv_divide_up(channels, block.x));
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(channel_scale_backward<T>, grid, block, 0, stream, (const T *)x,
                            (const T *)gate, (const T *)dy, (T *)dx, (T *)dgate, (int)positions,
                            (int)channels));
    return dv_launch_status();
}

int dv_launch_spatial_scale(dv_dtype dtype, const void *x, const void *gate, void *y, int64_t rows,
                            int64_t channels, void *stream)
{
    int64_t count = rows * channels;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(spatial_scale<T>, grid, DV_THREADS, 0, stream, (const T *)x,
                            (const T *)gate, (T *)y, (int)count, (int)channels));
    return dv_launch_status();
}

int dv_launch_spatial_scale_backward(dv_dtype dtype, const void *x, const void *gate,
                                     const void *dy, void *dx, void *dgate, int64_t rows,
                                     int64_t channels, void *stream)
{
    if (!dv_fits(rows * channels) || !dv_fits(rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(spatial_scale_backward<T>, grid, DV_THREADS, 0, stream, (const T *)x,
                            (const T *)gate, (const T *)dy, (T *)dx, (T *)dgate, (int)rows,
                            (int)channels));
    return dv_launch_status();
}
