#include "kernels/global_pool.h"

#include "kernels/columns.cuh"
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

/* ---- Over channels: a warp has a row ---- */

struct candidate {
    float value;
    int channel;
};

/* The first of the largest; of NaNs, which are larger than all, the last: what a loop over the
   channels finds that takes what is larger or a NaN. */
static __device__ __forceinline__ candidate better(candidate a, candidate b)
{
    bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    bool wins = a_nan || b_nan ? b_nan && (!a_nan || b.channel > a.channel)
                               : b.value > a.value || (b.value == a.value && b.channel < a.channel);
    return wins ? b : a;
}

template <class T> static __device__ candidate row_maximum(const T *x, int channels)
{
    candidate best = {dv_to_float(x[0]), 0};
    for (int c = dv_lane(); c < channels; c += DV_WARP)
        best = better(best, {dv_to_float(x[c]), c});
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2) {
        candidate other = {__shfl_xor_sync(DV_ALL_LANES, best.value, distance),
                           __shfl_xor_sync(DV_ALL_LANES, best.channel, distance)};
        best = better(best, other);
    }
    return best;
}

template <class T> __global__ void channel_mean_max(const T *x, T *y, int rows, int channels)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        const T *from = x + row * channels;
        float sum = 0.0F;
        for (int c = dv_lane(); c < channels; c += DV_WARP)
            sum += dv_to_float(from[c]);
        sum = dv_warp_sum(sum);
        candidate best = row_maximum(from, channels);
        if (dv_lane() == 0) {
            y[2 * row] = dv_from_float<T>(sum / (float)channels);
            y[2 * row + 1] = dv_from_float<T>(best.value);
        }
    }
}

template <class T>
__global__ void channel_mean_max_backward(const T *x, const T *dy, T *dx, int rows, int channels)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        int place = row_maximum(x + row * channels, channels).channel;
        float of_mean = dv_to_float(dy[2 * row]) / (float)channels;
        float of_maximum = dv_to_float(dy[2 * row + 1]);
        for (int c = dv_lane(); c < channels; c += DV_WARP)
            dx[row * channels + c] = dv_from_float<T>(c == place ? of_mean + of_maximum : of_mean);
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

int dv_launch_channel_mean_max(dv_dtype dtype, const void *x, void *y, int64_t rows,
                               int64_t channels, void *stream)
{
    if (!dv_fits(rows * channels) || !dv_fits(rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(channel_mean_max<T>, grid, DV_THREADS, 0, stream, (const T *)x, (T *)y,
                            (int)rows, (int)channels));
    return dv_launch_status();
}

int dv_launch_channel_mean_max_backward(dv_dtype dtype, const void *x, const void *dy, void *dx,
                                        int64_t rows, int64_t channels, void *stream)
{
    if (!dv_fits(rows * channels) || !dv_fits(rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(channel_mean_max_backward<T>, grid, DV_THREADS, 0, stream, (const T *)x,
                            (const T *)dy, (T *)dx, (int)rows, (int)channels));
    return dv_launch_status();
}
