/*
 * Up to ROWS_PER_BLOCK rows, a block owns some channels from the statistics to the result. This is
 * one launch, and the second and third reading of x come from the caches. With more rows, parts of
 * the rows have blocks of their own, and a kernel in between joins their results in a fixed order.
 * These are three launches.
 */
#include "kernels/batchnorm.h"

#include "kernels/column_reduce.cuh"
#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"

enum {
    OWNED = 8,             /* channels of a block that sums: 32 bytes of float, one sector */
    MAX_THREADS = 1024,    /* threads of a block that sums */
    ROWS_PER_BLOCK = 4096, /* rows of a block that sums, unless that makes over MAX_PARTS parts */
    MAX_PARTS = 64,
    ROWS_PER_THREAD = 4, /* in blocks that do not sum */
};

/* The rows [begin, end) and the channel of a thread. `inside` tells whether the channel exists. */
struct part {
    int begin, end, channel, channels;
    bool inside;
};

static __device__ part this_part(const dv_batchnorm &call)
{
    int rows = (int)((call.rows + gridDim.y - 1) / gridDim.y);
    part p;
    p.begin = (int)blockIdx.y * rows;
    p.end = min(p.begin + rows, (int)call.rows);
    p.channels = (int)call.channels;
    p.channel = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    p.inside = p.channel < p.channels;
    return p;
}

/* value = (x - mean) scale + bias. The bias makes up for the rounding of `mean` to float. */
struct affine {
    float mean, rest, inverse, scale, bias;
};

/* `saved` (3, channels) has the mean in two floats, the large and the small part, and
   1 / sqrt(var + epsilon). One float is not enough if deviations are small against the mean. */
static __device__ affine get_affine(const dv_batchnorm &call, const part &p)
{
    affine by;
    int c = p.channel;
    if (call.running) {
        by.mean = call.running_mean[c];
        by.rest = 0.0F;
        by.inverse = 1.0F / sqrtf(call.running_var[c] + (float)call.epsilon);
    } else {
        by.mean = call.saved[c];
        by.rest = call.saved[p.channels + c];
        by.inverse = call.saved[2 * p.channels + c];
    }
    by.scale = call.weight[c] * by.inverse;
    by.bias = call.bias[c] - by.rest * by.scale;
    return by;
}

template <class T>
static __device__ float before_activation(const dv_batchnorm &call, int i, float centred,
                                          const affine &by)
{
    float value = centred * by.scale + by.bias;
    if (call.residual != nullptr)
        value += dv_to_float(((const T *)call.residual)[i]);
    return value;
}

template <class T> static __device__ void normalise_rows(const dv_batchnorm &call, const part &p)
{
    if (!p.inside)
        return;
    const T *x = (const T *)call.x;
    affine by = get_affine(call, p);
    for (int row = p.begin + (int)threadIdx.y; row < p.end; row += (int)blockDim.y) {
        int i = row * p.channels + p.channel;
        float value = before_activation<T>(call, i, dv_to_float(x[i]) - by.mean, by);
        ((T *)call.y)[i] = dv_from_float<T>(dv_activate(call.activation, value));
    }
}

/* Statistics of some rows of a channel. The mean is shift + rest, and `squares` is the sum of the
   squared deviations from it. */
struct moments {
    float shift, rest, squares;
};

/* Computes a mean in float first, then the deviations from it. Their own mean is the rest that the
   float lacks. */
template <class T>
static __device__ moments part_moments(const dv_batchnorm &call, const part &p, float2 *shared)
{
    const T *x = (const T *)call.x + p.channel;
    float share = 1.0F / (float)(p.end - p.begin);
    float2 sums = make_float2(0.0F, 0.0F);
    for (int row = p.begin + (int)threadIdx.y; p.inside && row < p.end; row += (int)blockDim.y)
        sums.x += dv_to_float(x[row * p.channels]);
    float shift = dv_column_sums(sums, shared).x * share;
    sums = make_float2(0.0F, 0.0F);
    for (int row = p.begin + (int)threadIdx.y; p.inside && row < p.end; row += (int)blockDim.y) {
        float deviation = dv_to_float(x[row * p.channels]) - shift;
        sums.x += deviation;
        sums.y += deviation * deviation;
    }
    sums = dv_column_sums(sums, shared);
    moments found;
    found.shift = shift;
    found.rest = sums.x * share;
    float squares = sums.y - sums.x * found.rest;
    found.squares = squares < 0.0F ? 0.0F : squares; /* a NaN stays */
    return found;
}

/* Computes the saved values and the new running statistics from the statistics of all rows. */
static __device__ void finish_statistics(const dv_batchnorm &call, int c, double mean,
                                         double squares)
{
    int channels = (int)call.channels;
    double rows = (double)call.rows, keep = 1.0 - call.momentum;
    double unbiased = squares / (rows > 1.0 ? rows - 1.0 : 1.0);
    float high = (float)mean;
    call.saved[c] = high;
    call.saved[channels + c] = (float)(mean - (double)high);
    call.saved[2 * channels + c] = (float)(1.0 / sqrt(squares / rows + call.epsilon));
    call.running_mean[c] = (float)(keep * (double)call.running_mean[c] + call.momentum * mean);
    call.running_var[c] = (float)(keep * (double)call.running_var[c] + call.momentum * unbiased);
}

template <class T> __global__ void __launch_bounds__(MAX_THREADS) train(dv_batchnorm call)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * OWNED);
    part p = this_part(call);
    moments found = part_moments<T>(call, p, shared);
    if (p.inside && threadIdx.y == 0)
        finish_statistics(call, p.channel, (double)found.shift + (double)found.rest,
                          (double)found.squares);
    __syncthreads(); /* all threads read the saved values */
    normalise_rows<T>(call, p);
}

/* scratch (parts, 3, channels) */
template <class T> __global__ void __launch_bounds__(MAX_THREADS) find_moments(dv_batchnorm call)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * OWNED);
    part p = this_part(call);
    moments found = part_moments<T>(call, p, shared);
    if (!p.inside || threadIdx.y != 0)
        return;
    float *to = call.scratch + 3 * (int)blockIdx.y * p.channels + p.channel;
    to[0] = found.shift;
    to[p.channels] = found.rest;
    to[2 * p.channels] = found.squares;
}

/* Joins the parts, as in Chan, Golub and LeVeque 1979. */
static __global__ void join_moments(dv_batchnorm call, int parts)
{
    int c = dv_first_int(), channels = (int)call.channels;
    if (c >= channels)
        return;
    double mean = 0.0, squares = 0.0;
    int64_t size = (call.rows + parts - 1) / parts;
    for (int k = 0; k < parts; k++) {
        const float *from = call.scratch + 3 * k * channels + c;
        double before = (double)(k * size), rows = (double)min(size, call.rows - k * size);
        double delta = (double)from[0] + (double)from[channels] - mean;
        mean += delta * rows / (before + rows);
        squares += (double)from[2 * channels] + delta * delta * before * rows / (before + rows);
    }
    finish_statistics(call, c, mean, squares);
}

template <class T> __global__ void normalise(dv_batchnorm call)
{
    normalise_rows<T>(call, this_part(call));
}

/* ---- Backward ---- */

/* The gradient of element i before the activation. */
template <class T>
static __device__ float gradient_before(const dv_batchnorm &call, int i, float centred,
                                        const affine &by)
{
    float dy = dv_to_float(((const T *)call.dy)[i]);
    if (call.activation == DV_ACT_NONE)
        return dy;
    float value = before_activation<T>(call, i, centred, by);
    return dy * dv_activation_slope(call.activation, value, dv_to_float(((const T *)call.y)[i]));
}

/* Sums g and g (x - mean) over the part's rows. g is the gradient before the activation, and also
   that of the residual. */
template <class T>
static __device__ float2 part_sums(const dv_batchnorm &call, const part &p, float2 *shared)
{
    float2 sums = make_float2(0.0F, 0.0F);
    if (p.inside) {
        const T *x = (const T *)call.x;
        affine by = get_affine(call, p);
        for (int row = p.begin + (int)threadIdx.y; row < p.end; row += (int)blockDim.y) {
            int i = row * p.channels + p.channel;
            float centred = dv_to_float(x[i]) - by.mean;
            float g = gradient_before<T>(call, i, centred, by);
            sums.x += g;
            sums.y += g * centred;
            if (call.dresidual != nullptr)
                ((T *)call.dresidual)[i] = dv_from_float<T>(g);
        }
    }
    return dv_column_sums(sums, shared);
}

static __device__ void finish_sums(const dv_batchnorm &call, const part &p, float sum,
                                   float product)
{
    affine by = get_affine(call, p);
    call.dweight[p.channel] = (product - by.rest * sum) * by.inverse;
    call.dbias[p.channel] = sum;
}

/* dx = scale (g - mean(g) - h mean(g h)), where h is the normalised x. The sums are the gradients
   of bias and weight. With constant statistics dx is scale g. */
template <class T> static __device__ void backward_rows(const dv_batchnorm &call, const part &p)
{
    if (!p.inside || call.dx == nullptr)
        return;
    const T *x = (const T *)call.x;
    affine by = get_affine(call, p);
    float share = call.running ? 0.0F : 1.0F / (float)call.rows;
    float slope = call.dweight[p.channel] * by.inverse * share;
    float offset = call.dbias[p.channel] * share - by.rest * slope;
    for (int row = p.begin + (int)threadIdx.y; row < p.end; row += (int)blockDim.y) {
        int i = row * p.channels + p.channel;
        float centred = dv_to_float(x[i]) - by.mean;
        float g = gradient_before<T>(call, i, centred, by);
        ((T *)call.dx)[i] = dv_from_float<T>(by.scale * (g - offset - centred * slope));
    }
}

template <class T> __global__ void __launch_bounds__(MAX_THREADS) backward_owned(dv_batchnorm call)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * OWNED);
    part p = this_part(call);
    float2 sums = part_sums<T>(call, p, shared);
    if (p.inside && threadIdx.y == 0)
        finish_sums(call, p, sums.x, sums.y);
    __syncthreads(); /* all threads read the gradients */
    backward_rows<T>(call, p);
}

/* scratch (parts, 2, channels) */
template <class T> __global__ void __launch_bounds__(MAX_THREADS) find_sums(dv_batchnorm call)
{
    DV_SHARED(float2, shared, DV_MAX_WARPS * OWNED);
    part p = this_part(call);
    float2 sums = part_sums<T>(call, p, shared);
    if (!p.inside || threadIdx.y != 0)
        return;
    float *to = call.scratch + 2 * (int)blockIdx.y * p.channels + p.channel;
    to[0] = sums.x;
    to[p.channels] = sums.y;
}

static __global__ void join_sums(dv_batchnorm call, int parts)
{
    part p = {};
    p.channels = (int)call.channels;
    p.channel = dv_first_int();
    if (p.channel >= p.channels)
        return;
    double sum = 0.0, product = 0.0;
    for (int k = 0; k < parts; k++) {
        const float *from = call.scratch + 2 * k * p.channels + p.channel;
        sum += (double)from[0];
        product += (double)from[p.channels];
    }
    finish_sums(call, p, (float)sum, (float)product);
}

template <class T> __global__ void backward_apply(dv_batchnorm call)
{
    backward_rows<T>(call, this_part(call));
}

/* ---- Launchers ---- */

struct geometry {
    dim3 grid, block;
};

static int count_parts(int64_t rows)
{
    unsigned parts = dv_divide_up(rows, ROWS_PER_BLOCK);
    return parts < MAX_PARTS ? (int)parts : MAX_PARTS;
}

static geometry summing(const dv_batchnorm *call)
{
    geometry g;
    g.block = dv_column_block(call->rows, call->channels, OWNED, MAX_THREADS);
    g.grid = dim3(dv_divide_up(call->channels, g.block.x), (unsigned)count_parts(call->rows));
    return g;
}

static geometry streaming(const dv_batchnorm *call)
{
    geometry g;
    g.block = dv_column_block(call->rows, call->channels, 32, DV_THREADS);
    unsigned parts = dv_divide_up(call->rows, (int64_t)g.block.y * ROWS_PER_THREAD);
    g.grid = dim3(dv_divide_up(call->channels, g.block.x), parts < 65535 ? parts : 65535);
    return g;
}

size_t dv_batchnorm_saved(int64_t channels)
{
    return 3 * (size_t)channels * sizeof(float);
}

size_t dv_batchnorm_scratch(int64_t rows, int64_t channels)
{
    int parts = count_parts(rows);
    return parts > 1 ? 3 * (size_t)parts * (size_t)channels * sizeof(float) : 0;
}

int dv_launch_batchnorm(const dv_batchnorm *call, void *stream)
{
    if (!dv_fits(call->rows * call->channels))
        return (int)cudaErrorInvalidValue;
    geometry sums = summing(call), rows = streaming(call);
    int parts = count_parts(call->rows);
    if (!call->running && parts == 1) {
        DV_WITH_DTYPE(call->dtype, T, DV_LAUNCH(train<T>, sums.grid, sums.block, 0, stream, *call));
        return dv_launch_status();
    }
    if (!call->running) {
        unsigned joins = dv_divide_up(call->channels, DV_THREADS);
        DV_WITH_DTYPE(call->dtype, T,
                      DV_LAUNCH(find_moments<T>, sums.grid, sums.block, 0, stream, *call));
        DV_LAUNCH(join_moments, joins, DV_THREADS, 0, stream, *call, parts);
    }
    DV_WITH_DTYPE(call->dtype, T, DV_LAUNCH(normalise<T>, rows.grid, rows.block, 0, stream, *call));
    return dv_launch_status();
}

int dv_launch_batchnorm_backward(const dv_batchnorm *call, void *stream)
{
    if (!dv_fits(call->rows * call->channels))
        return (int)cudaErrorInvalidValue;
    geometry sums = summing(call), rows = streaming(call);
    int parts = count_parts(call->rows);
    if (parts == 1) {
        DV_WITH_DTYPE(call->dtype, T,
                      DV_LAUNCH(backward_owned<T>, sums.grid, sums.block, 0, stream, *call));
        return dv_launch_status();
    }
    unsigned joins = dv_divide_up(call->channels, DV_THREADS);
    DV_WITH_DTYPE(call->dtype, T, DV_LAUNCH(find_sums<T>, sums.grid, sums.block, 0, stream, *call));
    DV_LAUNCH(join_sums, joins, DV_THREADS, 0, stream, *call, parts);
    if (call->dx != nullptr)
        DV_WITH_DTYPE(call->dtype, T,
                      DV_LAUNCH(backward_apply<T>, rows.grid, rows.block, 0, stream, *call));
    return dv_launch_status();
}
