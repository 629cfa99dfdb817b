#include "engine/ops/cuda.h"
#include "kernels/optimizer.h"

#include <math.h>

_Static_assert((1 + DV_SUM_PARTS) * sizeof(double) <= DV_CUDA_PARTIAL, "the sums have room");

/* Waits for the stream: the result is a number on the host. */
static dv_status sum_of_squares(dv_context *context, const void *values, int64_t count,
                                double *result)
{
    const dv_cuda_device *device = dv__cuda_device(context);
    DV_CUDA(dv_launch_sum_of_squares(values, count, device->partial, device->stream));
    DV_CUDA(cudaMemcpyAsync(device->pinned, device->partial, sizeof *result, cudaMemcpyDeviceToHost,
                            device->stream));
    DV_CUDA(cudaStreamSynchronize(device->stream));
    *result = *(const double *)device->pinned;
    return DV_OK;
}

static dv_update_rule make_rule(const dv_update *u)
{
    bool adam = u->kind != DV_SGD, decoupled = u->kind == DV_ADAMW;
    double t = (double)u->t;
    return (dv_update_rule){
        .adam = adam,
        .scale = (float)u->gradient_scale,
        .l2 = decoupled ? 0 : (float)u->weight_decay,
        .keep = decoupled ? (float)(1 - u->learning_rate * u->weight_decay) : 1,
        .beta1 = (float)u->beta1,
        .one_minus_beta1 = (float)(1 - u->beta1),
        .beta2 = (float)u->beta2,
        .one_minus_beta2 = (float)(1 - u->beta2),
        .epsilon = (float)u->epsilon,
        .rate = (float)(u->learning_rate / (adam ? 1 - pow(u->beta1, t) : 1)),
        .root = adam ? (float)(1 / sqrt(1 - pow(u->beta2, t))) : 0,
    };
}

static dv_status update(dv_context *context, const dv_update *u)
{
    dv_update_rule rule = make_rule(u);
    DV_CUDA(dv_launch_update(&rule, u->values, u->gradients, u->moment1, u->moment2, u->count,
                             u->decay_count, dv__cuda_device(context)->stream));
    return DV_OK;
}

const dv_optimizer_impl dv__optimizer_cuda = {.sum_of_squares = sum_of_squares, .update = update};
