/* The optimiser on a CUDA device, by the launchers of kernels/optimizer.h. */
#include "kernels/optimizer.h"

#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"
#include "engine/optimizer/optimizer.h"

_Static_assert((int)DV_UPDATE_SCRATCH <= (int)DV_CUDA_PARTIAL, "the sums have room");

static dv_status seed(dv_context *context, const dv_progress *progress, void *gradient,
                      int64_t count)
{
    DV_CUDA(dv_launch_seed(progress, gradient, count, dv_cuda_device_of(context)->stream));
    return DV_OK;
}

static dv_status measure(dv_context *context, const dv_batch_metrics *m)
{
    DV_CUDA(dv_launch_measure(m->dtype, m->logits, m->targets, m->losses, m->count, m->classes,
                              m->progress, dv_cuda_device_of(context)->stream));
    return DV_OK;
}

/* Passes the update to the launcher field by field, with dv_cuda_device.partial as scratch. */
static dv_status update(dv_context *context, const dv_update *u)
{
    const dv_cuda_device *device = dv_cuda_device_of(context);
    dv_update_call call = {
        .adam = u->kind != DV_SGD,
        .decoupled = u->kind == DV_ADAMW,
        .count = u->count,
        .decay_count = u->decay_count,
        .values = u->values,
        .gradients = u->gradients,
        .sums = u->sums,
        .moment1 = u->moment1,
        .moment2 = u->moment2,
        .operands = u->operands,
        .rounded = u->rounded,
        .average = u->average,
        .states = u->states,
        .state_average = u->state_average,
        .state_count = u->state_count,
        .average_decay = u->average_decay,
        .weight_decay = u->weight_decay,
        .beta1 = u->beta1,
        .beta2 = u->beta2,
        .epsilon = u->epsilon,
        .limits = u->limits,
        .rates = u->rates,
        .progress = u->progress,
        .scratch = device->partial,
    };
    DV_CUDA(dv_launch_update(&call, device->stream));
    return DV_OK;
}

const dv_optimizer_impl dv_optimizer_cuda = {.seed = seed, .measure = measure, .update = update};
