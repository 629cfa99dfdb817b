/* Layer normalisation on a CUDA device, by the kernels of kernels/layer_norm.h. */
#include "engine/ops/layer_norm/layer_norm.h"

#include "engine/ops/cuda.h"
#include "kernels/layer_norm.h"

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    if (!s->training)
        return DV_OK;
    int64_t rows = dv_shape_rows(s->node->shape);
    dv_planner_save(planner, dv_layer_norm_saved(rows));
    dv_planner_scratch(planner, dv_layer_norm_scratch(rows, s->node->shape.c));
    return DV_OK;
}

static dv_layer_norm describe(const dv_node_step *s)
{
    const dv_layer_norm_attr *attr = s->node->attr;
    return (dv_layer_norm){
        .dtype = s->x_type[0].dtype,
        .rows = dv_shape_rows(s->node->shape),
        .channels = s->node->shape.c,
        .epsilon = attr->epsilon,
        .x = s->x[0],
        .y = s->y,
        .weight = s->w[0],
        .bias = s->w[1],
        .saved = s->saved,
        .scratch = s->scratch,
        .dy = s->dy,
        .dx = s->dx[0],
        .dweight = s->dw[0],
        .dbias = s->dw[1],
    };
}

static dv_status forward(dv_node_step *s)
{
    dv_layer_norm call = describe(s);
    DV_CUDA(dv_launch_layer_norm(&call, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_layer_norm call = describe(s);
    DV_CUDA(dv_launch_layer_norm_backward(&call, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_layer_norm_cuda = {.plan = plan, .forward = forward, .backward = backward};
