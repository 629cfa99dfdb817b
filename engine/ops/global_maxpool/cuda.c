/* The maximum over all positions on a CUDA device, by the kernels of kernels/global_pool.h. */
#include "engine/ops/cuda.h"
#include "kernels/global_pool.h"

/* Saves the position of each maximum, (N,C) int32. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    DV_CUDA(dv_launch_global_maxpool(s->x_type[0].dtype, s->x[0], s->y, s->saved, in.n, in.h * in.w,
                                     in.c, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_global_maxpool_backward(s->x_type[0].dtype, s->dy, s->saved, s->dx[0], in.n,
                                              in.h * in.w, in.c, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_global_maxpool_cuda = {.plan = plan, .forward = forward, .backward = backward};
