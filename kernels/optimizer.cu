/* Kernels of the optimiser: the seed of backward, the metrics, and an update in three launches. */
#include "kernels/optimizer.h"

#include "kernels/index.cuh"

/* The sum over the block, in thread 0. It is double, since the square of a float may be too large
   for float. */
static __device__ double block_sum(double value)
{
    DV_SHARED(double, partial, DV_MAX_WARPS);
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(DV_ALL_LANES, value, distance);
    __syncthreads();
    if (dv_lane() == 0)
        partial[dv_warp()] = value;
    __syncthreads();
    double sum = 0.0;
    for (int warp = 0; threadIdx.x == 0 && warp < dv_warps(); warp++)
        sum += partial[warp];
    return sum;
}

/* ---- Seed and metrics ---- */

static __global__ void seed(const dv_progress *progress, float *gradient, int64_t count)
{
    float value = (float)(progress->loss_scale / (double)count);
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        gradient[i] = value;
}

/* The index of the first largest value. */
template <class T> static __device__ int64_t largest(const T *values, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        best = dv_to_float(values[i]) > dv_to_float(values[best]) ? i : best;
    return best;
}

template <class T>
static __device__ double cross_entropy(const T *logits, int64_t classes, int64_t truth)
{
    double maximum = (double)dv_to_float(logits[largest(logits, classes)]), sum = 0.0;
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)dv_to_float(logits[i]) - maximum);
    return maximum + log(sum) - (double)dv_to_float(logits[truth]);
}

/* Adds up the metrics of a batch in one block. */
template <class T>
__global__ void measure(const T *logits, const float *targets, const float *losses, int64_t count,
                        int64_t classes, dv_progress *progress)
{
    double loss = 0.0, correct = 0.0, seen = 0.0;
    for (int64_t i = dv_first(); i < count; i += dv_stride()) {
        if (losses != nullptr && !dv_is_finite((double)losses[i]))
            continue;
        const T *row = logits + i * classes;
        int64_t truth = largest(targets + i * classes, classes);
        loss += losses != nullptr ? (double)losses[i] : cross_entropy(row, classes, truth);
        correct += largest(row, classes) == truth ? 1.0 : 0.0;
        seen += 1.0;
    }
    loss = block_sum(loss);
    correct = block_sum(correct);
    seen = block_sum(seen);
    if (threadIdx.x == 0) {
        progress->loss_sum += loss;
        progress->correct += (uint64_t)correct;
        progress->seen += (uint64_t)seen;
    }
}

/* ---- Update ---- */

/* The numbers of the current update. */
struct rule {
    bool applies;
    float scale;    /* factor of the gradient */
    float l2, keep; /* for decay: factor of the value in the gradient, and factor of the value */
    float beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon;
    float rate;   /* learning rate, for Adam divided by 1 - beta1^t */
    float root;   /* 1 / sqrt(1 - beta2^t) */
    float follow; /* share of a value that the average takes */
};

static_assert(sizeof(rule) <= 16 * 8, "scratch holds the rule, then the sums of the parts");

static __device__ rule make_rule(const dv_update_call &call)
{
    rule r = {};
    r.applies = call.progress->applies != 0;
    if (!r.applies)
        return r;
    dv_rate rate = call.rates[call.progress->updates - call.progress->first];
    r.scale = (float)call.progress->gradient_scale;
    r.l2 = call.decoupled ? 0.0F : (float)call.weight_decay;
    r.keep = call.decoupled ? (float)(1.0 - rate.learning_rate * call.weight_decay) : 1.0F;
    r.beta1 = (float)call.beta1;
    r.one_minus_beta1 = (float)(1.0 - call.beta1);
    r.beta2 = (float)call.beta2;
    r.one_minus_beta2 = (float)(1.0 - call.beta2);
    r.epsilon = (float)call.epsilon;
    r.rate = (float)(rate.learning_rate / (call.adam ? rate.correction1 : 1.0));
    r.root = call.adam ? (float)(1.0 / sqrt(rate.correction2)) : 0.0F;
    r.follow = (float)(1.0 - dv_average_keep(call.average_decay, call.progress->updates + 1));
    return r;
}

/* Adds the gradients of this batch to those of the update so far, and sums their squares. */
static __global__ void sum_parts(dv_update_call call, double *parts)
{
    double sum = 0.0;
    const bool begins = dv_progress_begins(call.progress, &call.limits);
    for (int64_t i = dv_first(); i < call.count; i += dv_stride()) {
        float gradient = call.gradients[i];
        if (call.sums != nullptr) {
            gradient = begins ? gradient : call.sums[i] + gradient;
            call.sums[i] = gradient;
        }
        sum += (double)gradient * (double)gradient;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

/* Decides on the update, in one block. The update then has its rule, so the progress can go on to
   the next step. */
static __global__ void decide(dv_update_call call, const double *parts, int count, rule *out)
{
    double sum = 0.0;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        sum += parts[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        dv_progress_decide(call.progress, &call.limits, sum);
        *out = make_rule(call);
        dv_progress_advance(call.progress, &call.limits);
    }
}

static __device__ __forceinline__ float adam(const rule &r, float value, float gradient,
                                             bool decays, float *moment1, float *moment2)
{
    float g = gradient * r.scale + (decays ? value * r.l2 : 0.0F);
    float m = *moment1 * r.beta1 + g * r.one_minus_beta1;
    float v = *moment2 * r.beta2 + g * g * r.one_minus_beta2;
    *moment1 = m;
    *moment2 = v;
    return (decays ? value * r.keep : value) - r.rate * m / (sqrtf(v) * r.root + r.epsilon);
}

static __device__ __forceinline__ float sgd(const rule &r, float value, float gradient, bool decays,
                                            float *velocity)
{
    float g = gradient * r.scale + (decays ? value * r.l2 : 0.0F);
    float m = *velocity * r.beta1 + g;
    *velocity = m;
    return value - r.rate * (g + r.beta1 * m);
}

/* Updates values and moments by the rule that `decide` has left. The rounded values and the
   averages follow in the same launch. It returns at once if the rule does not apply. */
template <class T, bool Adam> __global__ void update(dv_update_call call, const rule *by)
{
    rule r = *by;
    if (!r.applies)
        return;
    T *rounded = static_cast<T *>(call.rounded);
    const float *gradients = call.sums != nullptr ? call.sums : call.gradients;
    for (int64_t i = dv_first(); i < call.count; i += dv_stride()) {
        bool decays = i < call.decay_count;
        float value =
            Adam ? adam(r, call.values[i], gradients[i], decays, call.moment1 + i, call.moment2 + i)
                 : sgd(r, call.values[i], gradients[i], decays, call.moment1 + i);
        call.values[i] = value;
        if (rounded != nullptr)
            rounded[i] = dv_from_float<T>(value);
        if (call.average != nullptr)
            call.average[i] += r.follow * (value - call.average[i]);
    }
    for (int64_t i = dv_first(); call.average != nullptr && i < call.state_count; i += dv_stride())
        call.state_average[i] += r.follow * (call.states[i] - call.state_average[i]);
}

/* ---- Launchers ---- */

int dv_launch_seed(const dv_progress *progress, float *gradient, int64_t count, void *stream)
{
    DV_LAUNCH(seed, dv_blocks_for(count, DV_THREADS), DV_THREADS, 0, stream, progress, gradient,
              count);
    return dv_launch_status();
}

int dv_launch_measure(dv_dtype dtype, const void *logits, const float *targets, const float *losses,
                      int64_t count, int64_t classes, dv_progress *progress, void *stream)
{
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(measure<T>, 1, DV_THREADS, 0, stream, (const T *)logits, targets,
                            losses, count, classes, progress));
    return dv_launch_status();
}

/* The number of parts depends on the count alone. */
int dv_launch_update(const dv_update_call *call, void *stream)
{
    rule *by = static_cast<rule *>(call->scratch);
    double *sums = static_cast<double *>(call->scratch) + 16;
    unsigned parts = dv_blocks_for(call->count, 4 * DV_THREADS).x;
    parts = parts < (unsigned)DV_SUM_PARTS ? parts : (unsigned)DV_SUM_PARTS;
    DV_LAUNCH(sum_parts, parts, DV_THREADS, 0, stream, *call, sums);
    DV_LAUNCH(decide, 1, DV_THREADS, 0, stream, *call, sums, (int)parts, by);
    dim3 grid = dv_blocks_for(call->count, DV_THREADS);
    if (call->adam)
        DV_WITH_DTYPE(call->operands, T,
                      DV_LAUNCH((update<T, true>), grid, DV_THREADS, 0, stream, *call, by));
    else
        DV_WITH_DTYPE(call->operands, T,
                      DV_LAUNCH((update<T, false>), grid, DV_THREADS, 0, stream, *call, by));
    return dv_launch_status();
}
