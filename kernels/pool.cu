/*
 * In forward a thread has an element of the output, in backward an element of the input. There it
 * gathers from the windows that cover the element, in their order, so that nothing depends on the
 * order of threads.
 */
#include "kernels/pool.h"

#include "kernels/index.cuh"

/* dv_pool in ints, since 32-bit division is fast. */
struct windows {
    int channels, in[2], out[2], kernel[2], stride[2], padding[2];
};

/* One element of a (samples, height, width, channels) tensor. */
struct element {
    int sample, at[2], channel;
};

static __device__ __forceinline__ element get_element(int i, const int *size, int channels)
{
    element e;
    e.channel = i % channels;
    i /= channels;
    e.at[1] = i % size[1];
    i /= size[1];
    e.at[0] = i % size[0];
    e.sample = i / size[0];
    return e;
}

struct range {
    int begin, end;
};

/* The range of the input in the window of output `at`. */
static __device__ __forceinline__ range covered(const windows &w, int axis, int at)
{
    int first = at * w.stride[axis] - w.padding[axis];
    return {max(first, 0), min(first + w.kernel[axis], w.in[axis])};
}

/* The outputs whose windows cover input `at`. */
static __device__ __forceinline__ range covering(const windows &w, int axis, int at)
{
    int last = at + w.padding[axis], first = last - w.kernel[axis] + 1;
    int begin = first > 0 ? (first + w.stride[axis] - 1) / w.stride[axis] : 0;
    return {begin, min(last / w.stride[axis] + 1, w.out[axis])};
}

/* Finds the first maximum of each window, and keeps its position in the sample for backward. A NaN
   replaces any value before it. */
template <class T> __global__ void maxpool(windows w, const T *x, T *y, int32_t *place, int count)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        element e = get_element(i, w.out, w.channels);
        range rows = covered(w, 0, e.at[0]), columns = covered(w, 1, e.at[1]);
        const T *map = x + e.sample * w.in[0] * w.in[1] * w.channels + e.channel;
        int best = rows.begin * w.in[1] + columns.begin;
        float largest = dv_to_float(map[best * w.channels]);
        for (int row = rows.begin; row < rows.end; row++) {
            for (int column = columns.begin; column < columns.end; column++) {
                int at = row * w.in[1] + column;
                float value = dv_to_float(map[at * w.channels]);
                if (value > largest || value != value) {
                    largest = value;
                    best = at;
                }
            }
        }
        y[i] = map[best * w.channels];
        place[i] = best;
    }
}

template <class T>
__global__ void maxpool_backward(windows w, const T *dy, const int32_t *place, T *dx, int count)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        element e = get_element(i, w.in, w.channels);
        range rows = covering(w, 0, e.at[0]), columns = covering(w, 1, e.at[1]);
        int map = e.sample * w.out[0] * w.out[1] * w.channels + e.channel;
        int here = e.at[0] * w.in[1] + e.at[1];
        float sum = 0.0F;
        for (int row = rows.begin; row < rows.end; row++) {
            for (int column = columns.begin; column < columns.end; column++) {
                int at = map + (row * w.out[1] + column) * w.channels;
                sum += place[at] == here ? dv_to_float(dy[at]) : 0.0F;
            }
        }
        dx[i] = dv_from_float<T>(sum);
    }
}

/* The sum over a part of one sample's channel. Its elements are at
   map + (row width + column) channels. */
template <class T>
static __device__ __forceinline__ float sum_range(const T *map, range rows, range columns,
                                                  int width, int channels)
{
    float sum = 0.0F;
    for (int row = rows.begin; row < rows.end; row++) {
        for (int column = columns.begin; column < columns.end; column++)
            sum += dv_to_float(map[(row * width + column) * channels]);
    }
    return sum;
}

template <class T> __global__ void avgpool(windows w, const T *x, T *y, int count)
{
    float area = (float)(w.kernel[0] * w.kernel[1]);
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        element e = get_element(i, w.out, w.channels);
        const T *map = x + e.sample * w.in[0] * w.in[1] * w.channels + e.channel;
        float sum =
            sum_range(map, covered(w, 0, e.at[0]), covered(w, 1, e.at[1]), w.in[1], w.channels);
        y[i] = dv_from_float<T>(sum / area);
    }
}

template <class T> __global__ void avgpool_backward(windows w, const T *dy, T *dx, int count)
{
    float area = (float)(w.kernel[0] * w.kernel[1]);
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        element e = get_element(i, w.in, w.channels);
        const T *map = dy + e.sample * w.out[0] * w.out[1] * w.channels + e.channel;
        float sum =
            sum_range(map, covering(w, 0, e.at[0]), covering(w, 1, e.at[1]), w.out[1], w.channels);
        dx[i] = dv_from_float<T>(sum / area);
    }
}

static windows get_windows(const dv_pool *pool)
{
    windows w;
    w.channels = (int)pool->channels;
    for (int axis = 0; axis < 2; axis++) {
        w.in[axis] = (int)pool->in[axis];
        w.out[axis] = (int)pool->out[axis];
        w.kernel[axis] = (int)pool->kernel[axis];
        w.stride[axis] = (int)pool->stride[axis];
        w.padding[axis] = (int)pool->padding[axis];
    }
    return w;
}

static int64_t count_elements(const dv_pool *pool, const int64_t *size)
{
    return pool->samples * size[0] * size[1] * pool->channels;
}

static bool fits(const dv_pool *pool)
{
    return dv_fits(count_elements(pool, pool->in)) && dv_fits(count_elements(pool, pool->out));
}

int dv_launch_maxpool(dv_dtype dtype, const dv_pool *pool, const void *x, void *y, int32_t *place,
                      void *stream)
{
    if (!fits(pool))
        return (int)cudaErrorInvalidValue;
    int count = (int)count_elements(pool, pool->out);
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(maxpool<T>, grid, DV_THREADS, 0, stream, get_windows(pool),
                            (const T *)x, (T *)y, place, count));
    return dv_launch_status();
}

int dv_launch_maxpool_backward(dv_dtype dtype, const dv_pool *pool, const void *dy,
                               const int32_t *place, void *dx, void *stream)
{
    if (!fits(pool))
        return (int)cudaErrorInvalidValue;
    int count = (int)count_elements(pool, pool->in);
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(maxpool_backward<T>, grid, DV_THREADS, 0, stream, get_windows(pool),
                            (const T *)dy, place, (T *)dx, count));
    return dv_launch_status();
}

int dv_launch_avgpool(dv_dtype dtype, const dv_pool *pool, const void *x, void *y, void *stream)
{
    if (!fits(pool))
        return (int)cudaErrorInvalidValue;
    int count = (int)count_elements(pool, pool->out);
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(avgpool<T>, grid, DV_THREADS, 0, stream, get_windows(pool),
                            (const T *)x, (T *)y, count));
    return dv_launch_status();
}

int dv_launch_avgpool_backward(dv_dtype dtype, const dv_pool *pool, const void *dy, void *dx,
                               void *stream)
{
    if (!fits(pool))
        return (int)cudaErrorInvalidValue;
    int count = (int)count_elements(pool, pool->in);
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(avgpool_backward<T>, grid, DV_THREADS, 0, stream, get_windows(pool),
                            (const T *)dy, (T *)dx, count));
    return dv_launch_status();
}
