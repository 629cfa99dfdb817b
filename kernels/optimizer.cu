#include "kernels/optimizer.h"

#include "kernels/index.cuh"

/* Over the block, in thread 0. Double: a square of a float may be beyond float. */
static __device__ double block_sum(double value)
{
    DV_SHARED(double, partial, DV_MAX_WARPS);
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(DV_ALL_LANES, value, distance);
    if (dv_lane() == 0)
        partial[dv_warp()] = value;
    __syncthreads();
    double sum = 0.0;
    for (int warp = 0; threadIdx.x == 0 && warp < dv_warps(); warp++)
        sum += partial[warp];
    return sum;
}

static __global__ void sum_parts(const float *values, int64_t count, double *parts)
{
    double sum = 0.0;
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        sum += (double)values[i] * (double)values[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

static __global__ void join_parts(const double *parts, int count, double *result)
{
    double sum = 0.0;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        sum += parts[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *result = sum;
}

static __global__ void update_adam(dv_update_rule r, float *values, const float *gradients,
                                   float *moment1, float *moment2, int64_t count,
                                   int64_t decay_count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride()) {
        bool decays = i < decay_count;
        float value = values[i], g = gradients[i] * r.scale + (decays ? value * r.l2 : 0.0F);
        float m = moment1[i] * r.beta1 + g * r.one_minus_beta1;
        float v = moment2[i] * r.beta2 + g * g * r.one_minus_beta2;
        moment1[i] = m;
        moment2[i] = v;
        values[i] =
            (decays ? value * r.keep : value) - r.rate * m / (sqrtf(v) * r.root + r.epsilon);
    }
}

static __global__ void update_sgd(dv_update_rule r, float *values, const float *gradients,
                                  float *velocity, int64_t count, int64_t decay_count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride()) {
        float value = values[i], g = gradients[i] * r.scale;
        g += i < decay_count ? value * r.l2 : 0.0F;
        float m = velocity[i] * r.beta1 + g;
        velocity[i] = m;
        values[i] = value - r.rate * (g + r.beta1 * m);
    }
}

/* The parts follow from the count alone. */
int dv_launch_sum_of_squares(const float *values, int64_t count, double *sums, void *stream)
{
    unsigned parts = dv_blocks_for(count, 4 * DV_THREADS).x;
    parts = parts < (unsigned)DV_SUM_PARTS ? parts : (unsigned)DV_SUM_PARTS;
    DV_LAUNCH(sum_parts, parts, DV_THREADS, 0, stream, values, count, sums + 1);
    DV_LAUNCH(join_parts, 1, DV_THREADS, 0, stream, sums + 1, (int)parts, sums);
    return dv_launch_status();
}

int dv_launch_update(const dv_update_rule *rule, float *values, const float *gradients,
                     float *moment1, float *moment2, int64_t count, int64_t decay_count,
                     void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    if (rule->adam)
        DV_LAUNCH(update_adam, grid, DV_THREADS, 0, stream, *rule, values, gradients, moment1,
                  moment2, count, decay_count);
    else
        DV_LAUNCH(update_sgd, grid, DV_THREADS, 0, stream, *rule, values, gradients, moment1, count,
                  decay_count);
    return dv_launch_status();
}
