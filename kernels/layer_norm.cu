/*
 * A warp has a row. Backward computes both results in one launch: some blocks have rows, for dx,
 * and the others have columns, for the gradients of the parameters. The rows of the latter are
 * divided into parts with a block each, and a second launch adds up the parts in their order.
 */
#include "kernels/layer_norm.h"

#include "kernels/index.cuh"

enum {
    ROWS_PER_PART = 64,
    MAX_PARTS = 64,
    WARPS = DV_THREADS / DV_WARP, /* warps of a block; for columns they share its rows */
};

/* The saved values (rows, 3) of a row: the mean in two floats, the large and the small part, and
   1 / sqrt(var + epsilon). One float is not enough if deviations are small against the mean. */
struct statistics {
    float mean, rest, inverse;

    __device__ __forceinline__ float normalise(float x) const
    {
        return ((x - mean) - rest) * inverse;
    }
};

template <class T>
static __device__ __forceinline__ statistics measure(const T *x, int channels, float epsilon)
{
    float share = 1.0F / (float)channels, sum = 0.0F, rest = 0.0F, squares = 0.0F;
    for (int c = dv_lane(); c < channels; c += DV_WARP)
        sum += dv_to_float(x[c]);
    statistics of;
    of.mean = dv_warp_sum(sum) * share;
    for (int c = dv_lane(); c < channels; c += DV_WARP) {
        float deviation = dv_to_float(x[c]) - of.mean;
        rest += deviation;
        squares += deviation * deviation;
    }
    of.rest = dv_warp_sum(rest) * share;
    float variance = dv_warp_sum(squares) * share - of.rest * of.rest;
    of.inverse = 1.0F / sqrtf(fmaxf(variance, 0.0F) + epsilon);
    return of;
}

template <class T> static __global__ void normalise_rows(dv_layer_norm call)
{
    int channels = (int)call.channels;
    for (int row = dv_first_int() / DV_WARP; row < (int)call.rows;
         row += dv_stride_int() / DV_WARP) {
        const T *x = (const T *)call.x + row * channels;
        T *y = (T *)call.y + row * channels;
        statistics of = measure(x, channels, (float)call.epsilon);
        if (call.saved != nullptr && dv_lane() == 0)
            ((statistics *)call.saved)[row] = of;
        for (int c = dv_lane(); c < channels; c += DV_WARP)
            y[c] =
                dv_from_float<T>(of.normalise(dv_to_float(x[c])) * call.weight[c] + call.bias[c]);
    }
}

/* dx = inverse (g - mean(g) - h mean(g h)), where h is the normalised x and g = dy weight. */
template <class T>
static __device__ void backward_row(const dv_layer_norm &call, int row, int channels)
{
    const T *x = (const T *)call.x + row * channels, *dy = (const T *)call.dy + row * channels;
    T *dx = (T *)call.dx + row * channels;
    statistics of = ((const statistics *)call.saved)[row];
    float share = 1.0F / (float)channels, sum = 0.0F, product = 0.0F;
    for (int c = dv_lane(); c < channels; c += DV_WARP) {
        float g = dv_to_float(dy[c]) * call.weight[c];
        sum += g;
        product += g * of.normalise(dv_to_float(x[c]));
    }
    sum = dv_warp_sum(sum) * share;
    product = dv_warp_sum(product) * share;
    for (int c = dv_lane(); c < channels; c += DV_WARP) {
        float g = dv_to_float(dy[c]) * call.weight[c];
        float h = of.normalise(dv_to_float(x[c]));
        dx[c] = dv_from_float<T>(of.inverse * (g - sum - h * product));
    }
}

/* Sums a lane's column over the rows of a part, which the block's warps share. The sums go to
   scratch, or, if there is one part, to the gradients themselves. */
template <class T>
static __device__ void sum_columns(const dv_layer_norm &call, int tile, int part, int parts)
{
    DV_SHARED(float2, shared, DV_THREADS);
    int rows = (int)call.rows, channels = (int)call.channels;
    int c = tile * DV_WARP + dv_lane(), height = (rows + parts - 1) / parts;
    int end = min((part + 1) * height, rows);
    float2 sum = make_float2(0.0F, 0.0F);
    for (int row = part * height + dv_warp(); c < channels && row < end; row += WARPS) {
        statistics of = ((const statistics *)call.saved)[row];
        float gradient = dv_to_float(((const T *)call.dy)[row * channels + c]);
        sum.x += gradient * of.normalise(dv_to_float(((const T *)call.x)[row * channels + c]));
        sum.y += gradient;
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (dv_warp() > 0 || c >= channels)
        return;
    for (int warp = 1; warp < WARPS; warp++) {
        sum.x += shared[warp * DV_WARP + dv_lane()].x;
        sum.y += shared[warp * DV_WARP + dv_lane()].y;
    }
    float *dweight = parts == 1 ? call.dweight : call.scratch + 2 * part * channels;
    float *dbias = parts == 1 ? call.dbias : call.scratch + (2 * part + 1) * channels;
    dweight[c] = sum.x;
    dbias[c] = sum.y;
}

/* The first tiles * parts blocks have columns, the others have rows. */
template <class T>
static __global__ void layer_norm_backward(dv_layer_norm call, int tiles, int parts)
{
    int block = (int)blockIdx.x, summing = tiles * parts, channels = (int)call.channels;
    if (block < summing) {
        sum_columns<T>(call, block % tiles, block / tiles, parts);
        return;
    }
    int step = ((int)gridDim.x - summing) * WARPS;
    for (int row = (block - summing) * WARPS + dv_warp(); row < (int)call.rows; row += step)
        backward_row<T>(call, row, channels);
}

/* Adds up the parts, scratch (parts, 2, channels). */
static __global__ void join_parts(dv_layer_norm call, int parts)
{
    int channels = (int)call.channels;
    for (int i = dv_first_int(); i < 2 * channels; i += dv_stride_int()) {
        float sum = 0.0F;
        for (int part = 0; part < parts; part++)
            sum += call.scratch[2 * part * channels + i];
        float *into = i < channels ? call.dweight : call.dbias;
        into[i % channels] = sum;
    }
}

/* ---- Launchers ---- */

static int part_count(int64_t rows)
{
    int64_t parts = (rows + ROWS_PER_PART - 1) / ROWS_PER_PART;
    return parts < MAX_PARTS ? (int)parts : (int)MAX_PARTS;
}

size_t dv_layer_norm_saved(int64_t rows)
{
    return (size_t)rows * sizeof(statistics);
}

size_t dv_layer_norm_scratch(int64_t rows, int64_t channels)
{
    int parts = part_count(rows);
    return parts == 1 ? 0 : (size_t)(parts * 2 * channels) * sizeof(float);
}

static bool too_large(const dv_layer_norm *call)
{
    return !dv_fits(call->rows * call->channels) || !dv_fits(call->rows * DV_WARP) ||
           !dv_fits(2 * MAX_PARTS * call->channels);
}

int dv_launch_layer_norm(const dv_layer_norm *call, void *stream)
{
    if (too_large(call))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(call->rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(call->dtype, T, DV_LAUNCH(normalise_rows<T>, grid, DV_THREADS, 0, stream, *call));
    return dv_launch_status();
}

int dv_launch_layer_norm_backward(const dv_layer_norm *call, void *stream)
{
    if (too_large(call))
        return (int)cudaErrorInvalidValue;
    int parts = part_count(call->rows), tiles = (int)dv_divide_up(call->channels, DV_WARP);
    unsigned blocks = (unsigned)(tiles * parts);
    if (call->dx != nullptr)
        blocks += dv_blocks_for(call->rows * DV_WARP, DV_THREADS).x;
    DV_WITH_DTYPE(call->dtype, T,
                  DV_LAUNCH(layer_norm_backward<T>, dim3(blocks), DV_THREADS, 0, stream, *call,
                            tiles, parts));
    if (parts > 1)
        DV_LAUNCH(join_parts, dv_blocks_for(2 * call->channels, DV_THREADS), DV_THREADS, 0, stream,
                  *call, parts);
    return dv_launch_status();
}
