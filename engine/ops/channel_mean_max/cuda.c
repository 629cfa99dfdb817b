#include "engine/ops/cuda.h"
#include "kernels/global_pool.h"

static dv_status forward(dv_step *s)
{
    DV_CUDA(dv_launch_channel_mean_max(s->context->dtype, s->x[0], s->y, dv_shape_rows(s->in[0]),
                                       s->in[0].c, dv__cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_channel_mean_max_backward(s->context->dtype, s->x[0], s->dy, s->dx[0],
                                                dv_shape_rows(s->in[0]), s->in[0].c,
                                                dv__cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv__channel_mean_max_cuda = {.forward = forward, .backward = backward};
