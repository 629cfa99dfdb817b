/* Kernels of means and maxima over all positions. Several threads share a mean, and each maximum
   has one thread. */
#include "kernels/global_pool.h"

#include "kernels/column_reduce.cuh"
#include "kernels/index.cuh"

/* A block has one sample (blockIdx.x) and some channels. */
template <class T> __global__ void global_avgpool(const T *x, T *y, int positions, int channels)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * DV_WARP);
    int c = (int)(blockIdx.y * blockDim.x + threadIdx.x);
    const T *map = x + (int)blockIdx.x * positions * channels + c;
    float2 sum = make_float2(0.0F, 0.0F);
    for (int row = (int)threadIdx.y; c < channels && row < positions; row += (int)blockDim.y)
        sum.x += dv_to_float(map[row * channels]);
    sum = dv_column_sums(sum, shared);
    if (c < channels && threadIdx.y == 0)
        y[(int)blockIdx.x * channels + c] = dv_from_float<T>(sum.x / (float)positions);
}

template <class T>
__global__ void global_avgpool_backward(const T *dy, T *dx, int count, int positions, int channels)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        float gradient = dv_to_float(dy[i / (positions * channels) * channels + i % channels]);
        dx[i] = dv_from_float<T>(gradient / (float)positions);
    }
}

template <class T>
__global__ void global_maxpool(const T *x, T *y, int32_t *place, int count, int positions,
                               int channels)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        const T *map = x + i / channels * positions * channels + i % channels;
        float largest = dv_to_float(map[0]);
        int best = 0;
        for (int at = 1; at < positions; at++) {
            float value = dv_to_float(map[at * channels]);
            if (value > largest || value != value) {
                largest = value;
                best = at;
            }
        }
        y[i] = map[best * channels];
        place[i] = best;
    }
}

template <class T>
__global__ void global_maxpool_backward(const T *dy, const int32_t *place, T *dx, int count,
                                        int positions, int channels)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        int at = i / channels % positions;
        int k = i / (positions * channels) * channels + i % channels;
        dx[i] = place[k] == at ? dy[k] : dv_from_float<T>(0.0F);
    }
}

/* ---- Launchers ---- */

int dv_launch_global_avgpool(dv_dtype dtype, const void *x, void *y, int64_t samples,
                             int64_t positions, int64_t channels, void *stream)
{
    if (!dv_fits(samples * positions * channels))
        return (int)cudaErrorInvalidValue;
    dim3 block = dv_column_block(positions, channels, DV_WARP, DV_THREADS);
    dim3 grid((unsigned)samples, dv_divide_up(channels, block.x));
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(global_avgpool<T>, grid, block, 0, stream, (const T *)x, (T *)y,
                            (int)positions, (int)channels));
    return dv_launch_status();
}

int dv_launch_global_avgpool_backward(dv_dtype dtype, const void *dy, void *dx, int64_t samples,
                                      int64_t positions, int64_t channels, void *stream)
{
    int64_t count = samples * positions * channels;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(global_avgpool_backward<T>, grid, DV_THREADS, 0, stream, (const T *)dy,
                            (T *)dx, (int)count, (int)positions, (int)channels));
    return dv_launch_status();
}

int dv_launch_global_maxpool(dv_dtype dtype, const void *x, void *y, int32_t *place,
                             int64_t samples, int64_t positions, int64_t channels, void *stream)
{
    int64_t count = samples * channels;
    if (!dv_fits(count * positions))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(global_maxpool<T>, grid, DV_THREADS, 0, stream, (const T *)x, (T *)y,
                            place, (int)count, (int)positions, (int)channels));
    return dv_launch_status();
}

int dv_launch_global_maxpool_backward(dv_dtype dtype, const void *dy, const int32_t *place,
                                      void *dx, int64_t samples, int64_t positions,
                                      int64_t channels, void *stream)
{
    int64_t count = samples * positions * channels;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(global_maxpool_backward<T>, grid, DV_THREADS, 0, stream, (const T *)dy,
                            place, (T *)dx, (int)count, (int)positions, (int)channels));
    return dv_launch_status();
}
