/* The weighted sum on a CUDA device: one kernel in each direction. */
#include "engine/ops/cuda.h"
#include "kernels/weighted_sum.h"

_Static_assert((int)DV_WEIGHTED_SUM_MAX >= (int)DV_MAX_INPUTS, "every node has its kernel");

static dv_weighted_sum describe(const dv_node_step *s)
{
    dv_weighted_sum call = {.parts = s->node->input_count,
                            .count = dv_shape_count(s->node->shape),
                            .weight = s->w[0],
                            .ticket = s->saved};
    for (int k = 0; k < call.parts; k++) {
        call.from[k] = s->x[k];
        call.to[k] = s->dx[k];
    }
    return call;
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_weighted_sum call = describe(s);
    dv_planner_save(planner, sizeof(unsigned));
    if (s->training)
        dv_planner_scratch(planner, dv_weighted_sum_scratch(&call) * sizeof(float));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    dv_weighted_sum call = describe(s);
    DV_CUDA(dv_launch_weighted_sum(s->x_type[0].dtype, &call, s->y, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_weighted_sum call = describe(s);
    DV_CUDA(dv_launch_weighted_sum_backward(s->x_type[0].dtype, &call, s->dy, s->scratch, s->dw[0],
                                            dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_weighted_sum_cuda = {.plan = plan, .forward = forward, .backward = backward};
