/* Batch normalisation on a CUDA device, by the kernels of kernels/batchnorm.h. */
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/cuda.h"
#include "kernels/batchnorm.h"

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    DV_TRY(dv__batchnorm_check(s));
    dv_shape shape = s->node->shape;
    dv_planner_save(planner, dv_batchnorm_saved(shape.c));
    dv_planner_scratch(planner, dv_batchnorm_scratch(dv_shape_rows(shape), shape.c));
    return DV_OK;
}

/* Collects the attributes, sizes and addresses of a step for the launchers of both directions. */
static dv_batchnorm describe(const dv_node_step *s)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    return (dv_batchnorm){
        .dtype = s->x_type[0].dtype,
        .activation = attr->activation,
        .running = !dv__batchnorm_by_batch(s),
        .rows = dv_shape_rows(s->node->shape),
        .channels = s->node->shape.c,
        .epsilon = attr->epsilon,
        .momentum = attr->momentum,
        .x = s->x[0],
        .residual = s->node->input_count > 1 ? s->x[1] : NULL,
        .y = s->y,
        .weight = s->w[0],
        .bias = s->w[1],
        .running_mean = s->state[0],
        .running_var = s->state[1],
        .saved = s->saved,
        .scratch = s->scratch,
        .dy = s->dy,
        .dx = s->dx[0],
        .dresidual = s->node->input_count > 1 ? s->dx[1] : NULL,
        .dweight = s->dw[0],
        .dbias = s->dw[1],
    };
}

static dv_status forward(dv_node_step *s)
{
    dv_batchnorm call = describe(s);
    DV_CUDA(dv_launch_batchnorm(&call, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_batchnorm call = describe(s);
    DV_CUDA(dv_launch_batchnorm_backward(&call, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_batchnorm_cuda = {.plan = plan, .forward = forward, .backward = backward};
