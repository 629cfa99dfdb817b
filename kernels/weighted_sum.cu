/* Kernels of the weighted sum. The last block of backward computes the gradient of the weights. */
#include "kernels/weighted_sum.h"

#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"
#include "kernels/last_block.cuh"

/* Every thread computes all shares. They are so few that sharing them would take longer. */
static __device__ __forceinline__ void compute_shares(const dv_weighted_sum &call,
                                                      float (&share)[DV_WEIGHTED_SUM_MAX])
{
    float largest = dv_maximum::neutral, sum = 0.0F;
    DV_UNROLL
    for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
        if (k < call.parts)
            largest = dv_maximum()(largest, call.weight[k]);
    }
    DV_UNROLL
    for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
        share[k] = k < call.parts ? dv_exp_negative(call.weight[k] - largest) : 0.0F;
        sum += share[k];
    }
    DV_UNROLL
    for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++)
        share[k] /= sum;
}

template <class T> __global__ void weighted_sum(dv_weighted_sum call, T *y)
{
    float share[DV_WEIGHTED_SUM_MAX];
    compute_shares(call, share);
    if (dv_first() == 0)
        *call.ticket = 0;
    for (int64_t i = dv_first(); i < call.count; i += dv_stride()) {
        float sum = 0.0F;
        DV_UNROLL
        for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
            if (k < call.parts)
                sum += share[k] * dv_to_float(static_cast<const T *>(call.from[k])[i]);
        }
        y[i] = dv_from_float<T>(sum);
    }
}

/* Computes dweight = share sum_j share_j (dshare - dshare_j) in one block from partial (gridDim.x,
   parts). This form of the softmax's gradient cancels least. */
static __device__ void sum_weight_gradients(const dv_weighted_sum &call,
                                            const float (&share)[DV_WEIGHTED_SUM_MAX],
                                            const float *partial, float *dweight)
{
    float dshare[DV_WEIGHTED_SUM_MAX] = {};
    for (unsigned block = threadIdx.x; block < gridDim.x; block += blockDim.x) {
        DV_UNROLL
        for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
            if (k < call.parts)
                dshare[k] += partial[block * (unsigned)call.parts + (unsigned)k];
        }
    }
    dv_block_reduce(dshare, dv_sum());
    DV_UNROLL
    for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
        float sum = 0.0F;
        DV_UNROLL
        for (int j = 0; j < DV_WEIGHTED_SUM_MAX; j++)
            sum += share[j] * (dshare[k] - dshare[j]);
        if (k < call.parts && threadIdx.x == 0)
            dweight[k] = share[k] * sum;
    }
}

/* Computes the gradients of the inputs, and the block's sums for the gradients of the shares. The
   last block of the grid turns these sums into the gradient of the weights. */
template <class T>
__global__ void weighted_sum_backward(dv_weighted_sum call, const T *dy, float *partial,
                                      float *dweight)
{
    float share[DV_WEIGHTED_SUM_MAX], dshare[DV_WEIGHTED_SUM_MAX] = {};
    compute_shares(call, share);
    for (int64_t i = dv_first(); i < call.count; i += dv_stride()) {
        float gradient = dv_to_float(dy[i]);
        DV_UNROLL
        for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
            if (k >= call.parts)
                continue;
            dshare[k] += gradient * dv_to_float(static_cast<const T *>(call.from[k])[i]);
            if (call.to[k] != nullptr)
                static_cast<T *>(call.to[k])[i] = dv_from_float<T>(share[k] * gradient);
        }
    }
    dv_block_reduce(dshare, dv_sum());
    DV_UNROLL
    for (int k = 0; k < DV_WEIGHTED_SUM_MAX; k++) {
        if (k < call.parts && threadIdx.x == 0)
            partial[blockIdx.x * (unsigned)call.parts + (unsigned)k] = dshare[k];
    }
    if (dv_last_block(call.ticket))
        sum_weight_gradients(call, share, partial, dweight);
}

/* ---- Launchers ---- */

constexpr unsigned MOST_BLOCKS = 256; /* the last block adds up the sums of all blocks */

static unsigned blocks_for(const dv_weighted_sum *call)
{
    unsigned blocks = dv_divide_up(call->count, 4 * DV_THREADS);
    return blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS;
}

int dv_launch_weighted_sum(dv_dtype dtype, const dv_weighted_sum *call, void *y, void *stream)
{
    dim3 grid = dv_blocks_for(call->count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T, DV_LAUNCH(weighted_sum<T>, grid, DV_THREADS, 0, stream, *call, (T *)y));
    return dv_launch_status();
}

size_t dv_weighted_sum_scratch(const dv_weighted_sum *call)
{
    return (size_t)blocks_for(call) * (size_t)call->parts;
}

int dv_launch_weighted_sum_backward(dv_dtype dtype, const dv_weighted_sum *call, const void *dy,
                                    float *scratch, float *dweight, void *stream)
{
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(weighted_sum_backward<T>, dim3(blocks_for(call)), DV_THREADS, 0, stream,
                            *call, (const T *)dy, scratch, dweight));
    return dv_launch_status();
}
