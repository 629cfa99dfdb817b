/* Maximum pooling on a CUDA device, by the kernels of kernels/pool.h. */
#include "engine/ops/maxpool/cuda.h"

/* Saves the place of each output element's maximum in its sample, int32. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    dv_pool pool = dv__cuda_pool(s);
    DV_CUDA(
        dv_launch_maxpool(s->x_type[0].dtype, &pool, s->x[0], s->y, s->saved, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_pool pool = dv__cuda_pool(s);
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_maxpool_backward(s->x_type[0].dtype, &pool, s->dy, s->saved, s->dx[0],
                                       dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_maxpool_cuda = {.plan = plan, .forward = forward, .backward = backward};
