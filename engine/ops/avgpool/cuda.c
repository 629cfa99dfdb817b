/* Mean pooling on a CUDA device, by the kernels of kernels/pool.h. */
#include "engine/ops/maxpool/cuda.h"

static dv_status forward(dv_node_step *s)
{
    dv_pool pool = dv__cuda_pool(s);
    DV_CUDA(dv_launch_avgpool(s->x_type[0].dtype, &pool, s->x[0], s->y, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_pool pool = dv__cuda_pool(s);
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(
        dv_launch_avgpool_backward(s->x_type[0].dtype, &pool, s->dy, s->dx[0], dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_avgpool_cuda = {.forward = forward, .backward = backward};
