/* Self-attention on a CUDA device: one kernel in each direction, for heads of at most
   DV_ATTENTION_WIDTH channels. */
#include "engine/ops/attention/attention.h"
#include "engine/ops/cuda.h"
#include "kernels/attention.h"

#include <inttypes.h>

static dv_attention_sizes get_sizes(const dv_node_step *s)
{
    dv_shape y = s->node->shape;
    return (dv_attention_sizes){y.n, y.w, y.c, ((const dv_attention_attr *)s->node->attr)->heads};
}

/* Saves two numbers for each query. Backward's scratch has one number for each query. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_attention_sizes z = get_sizes(s);
    int64_t width = z.channels / z.heads;
    if (width > DV_ATTENTION_WIDTH)
        return DV_FAIL(DV_EUNSUPPORTED,
                       "attention '%s': %s with %" PRId64 " heads has %" PRId64
                       " channels in each, at most %d are possible here",
                       s->node->name, dv_shape_format(s->in[0]).text, z.heads, width,
                       DV_ATTENTION_WIDTH);
    if (!s->training)
        return DV_OK;
    size_t bytes = (size_t)(z.samples * z.heads * z.steps) * sizeof(float);
    dv_planner_save(planner, 2 * bytes);
    dv_planner_scratch(planner, bytes);
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    dv_attention_sizes z = get_sizes(s);
    DV_CUDA(
        dv_launch_attention(s->x_type[0].dtype, &z, s->x[0], s->y, s->saved, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_attention_sizes z = get_sizes(s);
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_attention_backward(s->x_type[0].dtype, &z, s->x[0], s->dy, s->saved,
                                         s->scratch, s->dx[0], dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_attention_cuda = {.plan = plan, .forward = forward, .backward = backward};
