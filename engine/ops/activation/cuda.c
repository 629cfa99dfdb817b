/* Activations on a CUDA device: one kernel in each direction. */
#include "engine/ops/activation/activation.h"
#include "engine/ops/cuda.h"
#include "kernels/elementwise.h"

static dv_status forward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    DV_CUDA(dv_launch_activation(s->x_type[0].dtype, attr->kind, s->x[0], s->y,
                                 dv_shape_count(s->node->shape), dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_activation_backward(s->x_type[0].dtype, attr->kind, s->x[0], s->y, s->dy,
                                          s->dx[0], dv_shape_count(s->node->shape),
                                          dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_activation_cuda = {.forward = forward, .backward = backward};
