/* The mean over all positions on a CUDA device, by the kernels of kernels/global_pool.h. */
#include "engine/ops/cuda.h"
#include "kernels/global_pool.h"

static dv_status forward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    DV_CUDA(dv_launch_global_avgpool(s->x_type[0].dtype, s->x[0], s->y, in.n, in.h * in.w, in.c,
                                     dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_global_avgpool_backward(s->x_type[0].dtype, s->dy, s->dx[0], in.n,
                                              in.h * in.w, in.c, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_global_avgpool_cuda = {.forward = forward, .backward = backward};
