/* Each element of a result has a thread. An element of the weights' gradient has a column of
   threads. */
#include "kernels/convolution.h"

#include "kernels/index.cuh"

constexpr int PARTS = 16; /* threads that share the positions of a weight's gradient */

/* dv_convolution in ints. The launchers have checked that an int can hold all indices. */
struct geometry {
    int images, height, width, channels;
    int out_height, out_width, filters;
    int group_channels, group_filters;
    int kernel[2], stride[2], padding[2], dilation[2];
};

/* Converts the sizes to int, and divides channels and filters by the groups. */
static geometry geometry_of(const dv_convolution &shape)
{
    geometry g = {(int)shape.images,
                  (int)shape.height,
                  (int)shape.width,
                  (int)shape.channels,
                  (int)shape.out_height,
                  (int)shape.out_width,
                  (int)shape.filters,
                  (int)(shape.channels / shape.groups),
                  (int)(shape.filters / shape.groups),
                  {},
                  {},
                  {},
                  {}};
    for (int axis = 0; axis < 2; axis++) {
        g.kernel[axis] = (int)shape.kernel[axis];
        g.stride[axis] = (int)shape.stride[axis];
        g.padding[axis] = (int)shape.padding[axis];
        g.dilation[axis] = (int)shape.dilation[axis];
    }
    return g;
}

/* The place of tap `tap` of output `at` in the input. It may be outside. */
static __device__ __forceinline__ int input_at(const geometry &g, int axis, int at, int tap)
{
    return at * g.stride[axis] - g.padding[axis] + tap * g.dilation[axis];
}

/* The output whose tap `tap` is at `at` of the input, or -1. */
static __device__ __forceinline__ int output_at(const geometry &g, int axis, int at, int tap,
                                                int outputs)
{
    const int place = at + g.padding[axis] - tap * g.dilation[axis];
    if (place < 0 || place % g.stride[axis] != 0 || place / g.stride[axis] >= outputs)
        return -1;
    return place / g.stride[axis];
}

/* Sums each element of y over the taps that lie inside the input and the channels of the filter's
   group. */
template <class T>
static __global__ void convolve(geometry g, const T *x, const T *w, T *y, int count)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        const int filter = i % g.filters, position = i / g.filters;
        const int column = position % g.out_width, row = position / g.out_width % g.out_height;
        const int image = position / g.out_width / g.out_height;
        const int first = filter / g.group_filters * g.group_channels;
        float sum = 0.0F;
        for (int tap = 0; tap < g.kernel[0] * g.kernel[1]; tap++) {
            const int from_row = input_at(g, 0, row, tap / g.kernel[1]);
            const int from_column = input_at(g, 1, column, tap % g.kernel[1]);
            if (from_row < 0 || from_row >= g.height || from_column < 0 || from_column >= g.width)
                continue;
            const T *values =
                x + ((image * g.height + from_row) * g.width + from_column) * g.channels + first;
            const T *weights = w + (filter * g.kernel[0] * g.kernel[1] + tap) * g.group_channels;
            for (int c = 0; c < g.group_channels; c++)
                sum += dv_to_float(values[c]) * dv_to_float(weights[c]);
        }
        y[i] = dv_from_float<T>(sum);
    }
}

/* Sums each element of dx over the outputs that read it and the filters of the channel's group. */
template <class T>
static __global__ void convolve_data(geometry g, const T *dy, const T *w, T *dx, int count)
{
    const int taps = g.kernel[0] * g.kernel[1];
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        const int channel = i % g.channels, position = i / g.channels;
        const int column = position % g.width, row = position / g.width % g.height;
        const int image = position / g.width / g.height;
        const int first = channel / g.group_channels * g.group_filters;
        float sum = 0.0F;
        for (int tap = 0; tap < taps; tap++) {
            const int to_row = output_at(g, 0, row, tap / g.kernel[1], g.out_height);
            const int to_column = output_at(g, 1, column, tap % g.kernel[1], g.out_width);
            if (to_row < 0 || to_column < 0)
                continue;
            const T *gradients =
                dy + ((image * g.out_height + to_row) * g.out_width + to_column) * g.filters;
            const T *weights = w + tap * g.group_channels + channel % g.group_channels;
            for (int o = first; o < first + g.group_filters; o++)
                sum +=
                    dv_to_float(gradients[o]) * dv_to_float(weights[o * taps * g.group_channels]);
        }
        dx[i] = dv_from_float<T>(sum);
    }
}

/* The gradient of one weight, summed over the positions of this thread. */
template <class T>
static __device__ float part_of_weight(const geometry &g, const T *x, const T *dy, int weight)
{
    const int channel = weight % g.group_channels, place = weight / g.group_channels;
    const int tap = place % (g.kernel[0] * g.kernel[1]), filter = place / g.kernel[0] / g.kernel[1];
    const int from = filter / g.group_filters * g.group_channels + channel;
    const int positions = g.images * g.out_height * g.out_width;
    float sum = 0.0F;
    for (int position = (int)threadIdx.y; position < positions; position += PARTS) {
        const int column = position % g.out_width, row = position / g.out_width % g.out_height;
        const int image = position / g.out_width / g.out_height;
        const int from_row = input_at(g, 0, row, tap / g.kernel[1]);
        const int from_column = input_at(g, 1, column, tap % g.kernel[1]);
        if (from_row < 0 || from_row >= g.height || from_column < 0 || from_column >= g.width)
            continue;
        const int at = ((image * g.height + from_row) * g.width + from_column) * g.channels + from;
        sum += dv_to_float(x[at]) * dv_to_float(dy[position * g.filters + filter]);
    }
    return sum;
}

/* Blocks of (DV_WARP, PARTS) threads compute neighbouring weights, each by PARTS threads. */
template <class T, class Weight>
static __global__ void __launch_bounds__(DV_WARP *PARTS)
    convolve_weights(geometry g, const T *x, const T *dy, Weight *dw, int count)
{
    DV_SHARED(float, shared, PARTS *DV_WARP);
    const int weight = (int)(blockIdx.x * DV_WARP + threadIdx.x);
    shared[threadIdx.y * DV_WARP + threadIdx.x] =
        weight < count ? part_of_weight(g, x, dy, weight) : 0.0F;
    __syncthreads();
    if (threadIdx.y > 0 || weight >= count)
        return;
    float sum = 0.0F;
    for (int part = 0; part < PARTS; part++)
        sum += shared[part * DV_WARP + threadIdx.x];
    dw[weight] = dv_from_float<Weight>(sum);
}

/* ---- A convolution of one group as a matrix product ---- */

template <class T>
static __global__ void unfold(geometry g, const T *x, T *columns, int count)
{
    const int patch = g.kernel[0] * g.kernel[1] * g.channels;
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        const int position = i / patch, place = i % patch;
        const int tap = place / g.channels, channel = place % g.channels;
        const int column = position % g.out_width, row = position / g.out_width % g.out_height;
        const int image = position / g.out_width / g.out_height;
        const int from_row = input_at(g, 0, row, tap / g.kernel[1]);
        const int from_column = input_at(g, 1, column, tap % g.kernel[1]);
        const bool inside = from_row >= 0 && from_row < g.height && from_column >= 0 &&
                            from_column < g.width;
        const int from = ((image * g.height + from_row) * g.width + from_column) * g.channels;
        columns[i] = inside ? x[from + channel] : dv_from_float<T>(0.0F);
    }
}

template <class T>
static __global__ void fold(geometry g, const float *columns, T *dx, int count)
{
    const int taps = g.kernel[0] * g.kernel[1];
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        const int channel = i % g.channels, position = i / g.channels;
        const int column = position % g.width, row = position / g.width % g.height;
        const int image = position / g.width / g.height;
        float sum = 0.0F;
        for (int tap = 0; tap < taps; tap++) {
            const int to_row = output_at(g, 0, row, tap / g.kernel[1], g.out_height);
            const int to_column = output_at(g, 1, column, tap % g.kernel[1], g.out_width);
            if (to_row < 0 || to_column < 0)
                continue;
            const int to = (image * g.out_height + to_row) * g.out_width + to_column;
            sum += columns[(to * taps + tap) * g.channels + channel];
        }
        dx[i] = dv_from_float<T>(sum);
    }
}

/* ---- Launchers ---- */

static int64_t count_inputs(const dv_convolution *shape)
{
    return shape->images * shape->height * shape->width * shape->channels;
}

static int64_t count_outputs(const dv_convolution *shape)
{
    return shape->images * shape->out_height * shape->out_width * shape->filters;
}

static int64_t count_weights(const dv_convolution *shape)
{
    return shape->filters * shape->kernel[0] * shape->kernel[1] * shape->channels / shape->groups;
}

static bool fits(const dv_convolution *shape)
{
    return dv_fits(count_inputs(shape)) && dv_fits(count_outputs(shape)) &&
           dv_fits(count_weights(shape));
}

int dv_launch_convolution(dv_dtype dtype, const dv_convolution *shape, const void *x, const void *w,
                          void *y, void *stream)
{
    const int64_t count = count_outputs(shape);
    if (!fits(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(convolve<T>, dv_blocks_for(count, DV_THREADS), DV_THREADS, 0, stream,
                            geometry_of(*shape), static_cast<const T *>(x),
                            static_cast<const T *>(w), static_cast<T *>(y),
                            static_cast<int>(count)));
    return dv_launch_status();
}

int dv_launch_convolution_data(dv_dtype dtype, const dv_convolution *shape, const void *dy,
                               const void *w, void *dx, void *stream)
{
    const int64_t count = count_inputs(shape);
    if (!fits(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(convolve_data<T>, dv_blocks_for(count, DV_THREADS), DV_THREADS, 0,
                            stream, geometry_of(*shape), static_cast<const T *>(dy),
                            static_cast<const T *>(w), static_cast<T *>(dx),
                            static_cast<int>(count)));
    return dv_launch_status();
}

int dv_launch_convolution_weights(dv_dtype dtype, const dv_convolution *shape, const void *x,
                                  const void *dy, void *dw, void *stream)
{
    const int64_t count = count_weights(shape);
    if (!fits(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH((convolve_weights<T, T>), dv_divide_up(count, DV_WARP),
                            dim3(DV_WARP, PARTS), 0, stream, geometry_of(*shape),
                            static_cast<const T *>(x), static_cast<const T *>(dy),
                            static_cast<T *>(dw), static_cast<int>(count)));
    return dv_launch_status();
}

int dv_launch_convolution_weights_to_float(dv_dtype dtype, const dv_convolution *shape,
                                           const void *x, const void *dy, float *dw, void *stream)
{
    const int64_t count = count_weights(shape);
    if (!fits(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH((convolve_weights<T, float>), dv_divide_up(count, DV_WARP),
                            dim3(DV_WARP, PARTS), 0, stream, geometry_of(*shape),
                            static_cast<const T *>(x), static_cast<const T *>(dy), dw,
                            static_cast<int>(count)));
    return dv_launch_status();
}

static int64_t count_columns(const dv_convolution *shape)
{
    return shape->images * shape->out_height * shape->out_width * shape->kernel[0] *
           shape->kernel[1] * shape->channels;
}

int dv_launch_im2col(dv_dtype dtype, const dv_convolution *shape, const void *x, void *columns,
                     void *stream)
{
    const int64_t count = count_columns(shape);
    if (!fits(shape) || !dv_fits(count) || shape->groups != 1)
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(unfold<T>, dv_blocks_for(count, DV_THREADS), DV_THREADS, 0, stream,
                            geometry_of(*shape), static_cast<const T *>(x),
                            static_cast<T *>(columns), static_cast<int>(count)));
    return dv_launch_status();
}

int dv_launch_col2im(dv_dtype dtype, const dv_convolution *shape, const float *columns, void *dx,
                     void *stream)
{
    const int64_t count = count_inputs(shape);
    if (!fits(shape) || !dv_fits(count_columns(shape)) || shape->groups != 1)
        return static_cast<int>(cudaErrorInvalidValue);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(fold<T>, dv_blocks_for(count, DV_THREADS), DV_THREADS, 0, stream,
                            geometry_of(*shape), columns, static_cast<T *>(dx),
                            static_cast<int>(count)));
    return dv_launch_status();
}
