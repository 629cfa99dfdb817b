/* Distillation on a CUDA device: one kernel in each direction. */
#include "engine/ops/distillation/distillation.h"

#include "engine/ops/cuda.h"
#include "kernels/distillation.h"

static dv_distillation describe(const dv_node_step *s)
{
    const dv_distillation_attr *attr = s->node->attr;
    return (dv_distillation){.weight = attr->weight,
                             .temperature = attr->temperature,
                             .logits = s->x[1],
                             .teacher = s->x[2],
                             .targets = s->x[3],
                             .rows = s->in[1].n,
                             .classes = s->in[1].c};
}

static dv_status forward(dv_node_step *s)
{
    dv_distillation call = describe(s);
    DV_CUDA(dv_launch_distillation(s->x_type[1].dtype, &call, s->x[0], s->y, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_distillation call = describe(s);
    if (s->dx[0] == NULL && s->dx[1] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_distillation_backward(s->x_type[1].dtype, &call, s->dy, s->dx[0], s->dx[1],
                                            dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_distillation_cuda = {.forward = forward, .backward = backward};
