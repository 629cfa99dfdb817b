/* Addition on a CUDA device: one kernel in each direction. */
#include "engine/ops/cuda.h"
#include "kernels/elementwise.h"

static dv_status forward(dv_node_step *s)
{
    DV_CUDA(dv_launch_add(s->x_type[0].dtype, s->x[0], s->x[1], s->y,
                          dv_shape_count(s->node->shape), dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    if (s->dx[0] == NULL && s->dx[1] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_add_backward(s->x_type[0].dtype, s->dy, s->dx[0], s->dx[1],
                                   dv_shape_count(s->node->shape), dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_add_cuda = {.forward = forward, .backward = backward};
