/* Kernels of squeeze and excitation. A block computes a sample from its means to its result. */
#include "kernels/squeeze_excite.h"

#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"
#include "kernels/last_block.cuh"

/* A block has one sample. The number of its threads is a power of two. They form groups of
   `columns` threads (a power of two) side by side along the channels, and the groups take turns at
   the positions. */
struct block_sizes {
    int samples, positions, channels, middle, activation;
    int columns;        /* threads along the channels */
    int middle_columns; /* threads along the middle units */
};

constexpr int MOST_THREADS = 512;

/* Sums term(row, column) over the rows, for every column, into `into` (columns). `partial` has a
   float for each thread. The whole block sees `into` on return. */
template <class Term>
static __device__ __forceinline__ void column_sums(int rows, int columns, int width, float *partial,
                                                   float *into, Term term)
{
    int column = (int)threadIdx.x % width, groups = (int)blockDim.x / width;
    for (int base = 0; base < columns; base += width) {
        float sum = 0.0F;
        for (int row = (int)threadIdx.x / width; base + column < columns && row < rows;
             row += groups)
            sum += term(row, base + column);
        partial[threadIdx.x] = sum;
        __syncthreads();
        if ((int)threadIdx.x < width && base + column < columns) {
            for (int group = 1; group < groups; group++)
                sum += partial[group * width + column];
            into[base + column] = sum;
        }
        __syncthreads();
    }
}

/* Multiplies every row of a matrix (rows, columns) by the vector, and calls done(row, sum) in one
   thread. `lanes` lanes, a power of two up to a warp, share a row. */
template <class Done>
static __device__ __forceinline__ void row_products(const float *matrix, const float *vector,
                                                    int rows, int columns, int lanes, Done done)
{
    int lane = (int)threadIdx.x % lanes, step = (int)blockDim.x / lanes;
    for (int base = 0; base < rows; base += step) {
        int row = base + (int)threadIdx.x / lanes;
        float sum = 0.0F;
        for (int column = lane; row < rows && column < columns; column += lanes)
            sum += matrix[row * columns + column] * vector[column];
        for (int distance = lanes / 2; distance > 0; distance /= 2)
            sum += __shfl_xor_sync(DV_ALL_LANES, sum, distance);
        if (lane == 0 && row < rows)
            done(row, sum);
    }
}

static __device__ __forceinline__ int lanes_for(int columns)
{
    return columns < DV_WARP ? columns : DV_WARP;
}

/* Computes a sample in four parts with barriers between them: means, middle units, gates, and y.
   `r` gets all values that backward reads. */
template <class T>
__global__ void __launch_bounds__(MOST_THREADS)
    squeeze_excite(block_sizes z, const T *x, dv_squeeze_excite_weights w,
                   dv_squeeze_excite_saved r, T *y)
{
    DV_DYNAMIC_SHARED(float, shared);
    float *vector = shared, *hidden = vector + z.channels, *partial = hidden + z.middle;
    int n = (int)blockIdx.x, offset = n * z.positions * z.channels;
    const T *from = x + offset;
    if (n == 0 && threadIdx.x == 0)
        *r.ticket = 0;
    column_sums(z.positions, z.channels, z.columns, partial, vector,
                [=](int row, int c) { return dv_to_float(from[row * z.channels + c]); });
    for (int c = (int)threadIdx.x; c < z.channels; c += (int)blockDim.x) {
        vector[c] /= (float)z.positions;
        r.mean[n * z.channels + c] = vector[c];
    }
    __syncthreads();
    row_products(w.reduce, vector, z.middle, z.channels, lanes_for(z.columns),
                 [=](int m, float sum) {
                     float before = sum + w.reduce_bias[m];
                     hidden[m] = dv_activate(z.activation, before);
                     r.before[n * z.middle + m] = before;
                     r.hidden[n * z.middle + m] = hidden[m];
                 });
    __syncthreads();
    row_products(w.expand, hidden, z.channels, z.middle, lanes_for(z.middle_columns),
                 [=](int c, float sum) {
                     vector[c] = dv_sigmoid(sum + w.expand_bias[c]);
                     r.gate[n * z.channels + c] = vector[c];
                 });
    __syncthreads();
    for (int c = (int)threadIdx.x % z.columns; c < z.channels; c += z.columns) {
        float gate = vector[c];
        for (int row = (int)threadIdx.x / z.columns; row < z.positions;
             row += (int)blockDim.x / z.columns) {
            int i = row * z.channels + c;
            y[offset + i] = dv_from_float<T>(dv_to_float(from[i]) * gate);
        }
    }
}

/* Middle units that a thread sums at once. */
constexpr int UNITS = 8;

/* Sums the gradients of the parameters over all samples in one block. A thread has a channel and
   some middle units. */
static __device__ void sum_weight_gradients(const block_sizes &z, const dv_squeeze_excite_saved &r,
                                            const dv_squeeze_excite_scratch &d,
                                            const dv_squeeze_excite_gradients &out)
{
    int parts = (z.middle + UNITS - 1) / UNITS;
    for (int i = (int)threadIdx.x; i < z.channels * parts; i += (int)blockDim.x) {
        int c = i % z.channels, first = i / z.channels * UNITS;
        float reduce[UNITS] = {}, expand[UNITS] = {};
        for (int n = 0; n < z.samples; n++) {
            float mean = r.mean[n * z.channels + c], gradient = d.expand[n * z.channels + c];
            DV_UNROLL
            for (int unit = 0; unit < UNITS; unit++) {
                int m = n * z.middle + min(first + unit, z.middle - 1);
                reduce[unit] += d.reduce[m] * mean;
                expand[unit] += r.hidden[m] * gradient;
            }
        }
        DV_UNROLL
        for (int unit = 0; unit < UNITS; unit++) {
            int m = first + unit;
            if (m < z.middle) {
                out.reduce[m * z.channels + c] = reduce[unit];
                out.expand[c * z.middle + m] = expand[unit];
            }
        }
    }
    for (int i = (int)threadIdx.x; i < z.channels + z.middle; i += (int)blockDim.x) {
        bool is_expand = i < z.channels;
        int column = is_expand ? i : i - z.channels, width = is_expand ? z.channels : z.middle;
        const float *from = is_expand ? d.expand : d.reduce;
        float sum = 0.0F;
        for (int n = 0; n < z.samples; n++)
            sum += from[n * width + column];
        (is_expand ? out.expand_bias : out.reduce_bias)[column] = sum;
    }
}

/* Computes the sample's gradients before the sigmoid and before the middle activation, then dx. The
   last block of the grid sums the gradients of the parameters over the samples. */
template <class T>
__global__ void __launch_bounds__(MOST_THREADS)
    squeeze_excite_backward(block_sizes z, const T *x, const T *dy, dv_squeeze_excite_weights w,
                            dv_squeeze_excite_saved r, dv_squeeze_excite_scratch d, T *dx,
                            dv_squeeze_excite_gradients gradients)
{
    DV_DYNAMIC_SHARED(float, shared);
    float *vector = shared, *dreduce = vector + z.channels, *partial = dreduce + z.middle;
    int n = (int)blockIdx.x, offset = n * z.positions * z.channels;
    const T *from = x + offset, *gradient = dy + offset;
    const float *gate = r.gate + n * z.channels;
    column_sums(z.positions, z.channels, z.columns, partial, vector, [=](int row, int c) {
        int i = row * z.channels + c;
        return dv_to_float(gradient[i]) * dv_to_float(from[i]);
    });
    for (int c = (int)threadIdx.x; c < z.channels; c += (int)blockDim.x) {
        vector[c] *= dv_sigmoid_slope_from_y(gate[c]);
        d.expand[n * z.channels + c] = vector[c];
    }
    __syncthreads();
    column_sums(z.channels, z.middle, z.middle_columns, partial, dreduce,
                [=](int c, int m) { return w.expand[c * z.middle + m] * vector[c]; });
    for (int m = (int)threadIdx.x; m < z.middle; m += (int)blockDim.x) {
        int i = n * z.middle + m;
        dreduce[m] *= dv_activation_slope(z.activation, r.before[i], r.hidden[i]);
        d.reduce[i] = dreduce[m];
    }
    __syncthreads();
    for (int c = (int)threadIdx.x % z.columns; dx != nullptr && c < z.channels; c += z.columns) {
        float of_mean = 0.0F, factor = gate[c];
        for (int m = 0; m < z.middle; m++)
            of_mean += w.reduce[m * z.channels + c] * dreduce[m];
        of_mean /= (float)z.positions;
        for (int row = (int)threadIdx.x / z.columns; row < z.positions;
             row += (int)blockDim.x / z.columns) {
            int i = row * z.channels + c;
            dx[offset + i] = dv_from_float<T>(dv_to_float(gradient[i]) * factor + of_mean);
        }
    }
    if (dv_last_block(r.ticket))
        sum_weight_gradients(z, r, d, gradients);
}

/* ---- Launchers ---- */

/* The smallest power of two that is at least `count`, but at most `most`. */
static int power_of_two(int64_t count, int most)
{
    int power = 1;
    while (power < most && power < count)
        power *= 2;
    return power;
}

static int threads_for(const dv_squeeze_excite_sizes *sizes)
{
    int threads = power_of_two(sizes->positions * sizes->channels, MOST_THREADS);
    return threads < DV_WARP ? DV_WARP : threads;
}

size_t dv_squeeze_excite_shared(const dv_squeeze_excite_sizes *sizes)
{
    return (size_t)(sizes->channels + sizes->middle + threads_for(sizes)) * sizeof(float);
}

static bool fits(const dv_squeeze_excite_sizes *sizes)
{
    return dv_squeeze_excite_shared(sizes) <= (size_t)DV_GATE_SHARED &&
           dv_fits(sizes->samples * sizes->positions * sizes->channels) &&
           dv_fits(sizes->samples * sizes->middle) && dv_fits(sizes->channels * sizes->middle);
}

static block_sizes for_block(const dv_squeeze_excite_sizes *sizes)
{
    int threads = threads_for(sizes);
    return {(int)sizes->samples,
            (int)sizes->positions,
            (int)sizes->channels,
            (int)sizes->middle,
            sizes->activation,
            power_of_two(sizes->channels, threads),
            power_of_two(sizes->middle, threads)};
}

int dv_launch_squeeze_excite(dv_dtype dtype, const dv_squeeze_excite_sizes *sizes, const void *x,
                             const dv_squeeze_excite_weights *weights,
                             const dv_squeeze_excite_saved *record, void *y, void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(squeeze_excite<T>, dim3((unsigned)sizes->samples),
                            dim3((unsigned)threads_for(sizes)), dv_squeeze_excite_shared(sizes),
                            stream, for_block(sizes), (const T *)x, *weights, *record, (T *)y));
    return dv_launch_status();
}

int dv_launch_squeeze_excite_backward(dv_dtype dtype, const dv_squeeze_excite_sizes *sizes,
                                      const void *x, const void *dy,
                                      const dv_squeeze_excite_weights *weights,
                                      const dv_squeeze_excite_saved *record,
                                      const dv_squeeze_excite_scratch *scratch, void *dx,
                                      const dv_squeeze_excite_gradients *gradients, void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(squeeze_excite_backward<T>, dim3((unsigned)sizes->samples),
                            dim3((unsigned)threads_for(sizes)), dv_squeeze_excite_shared(sizes),
                            stream, for_block(sizes), (const T *)x, (const T *)dy, *weights,
                            *record, *scratch, (T *)dx, *gradients));
    return dv_launch_status();
}
