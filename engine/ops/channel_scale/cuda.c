#include "engine/ops/cuda.h"
#include "kernels/scale.h"

static dv_status forward(dv_step *s)
{
    dv_shape shape = s->node->shape;
    DV_CUDA(dv_launch_channel_scale(s->context->dtype, s->x[0], s->x[1], s->y, shape.n,
                                    shape.h * shape.w, shape.c, dv__cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    dv_shape shape = s->node->shape;
    if (s->dx[0] == NULL && s->dx[1] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_channel_scale_backward(s->context->dtype, s->x[0], s->x[1], s->dy, s->dx[0],
                                             s->dx[1], shape.n, shape.h * shape.w, shape.c,
                                             dv__cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv__channel_scale_cuda = {.forward = forward, .backward = backward};
