/* Concatenation on a CUDA device: one kernel in each direction for all inputs. */
#include "engine/ops/cuda.h"
#include "kernels/shape.h"

_Static_assert((int)DV_CONCAT_MAX >= (int)DV_MAX_INPUTS, "every concat node has its kernel");

static dv_concat describe(const dv_node_step *s)
{
    dv_concat call = {.parts = s->node->input_count, .rows = dv_shape_rows(s->node->shape)};
    for (int i = 0; i < call.parts; i++) {
        call.width[i] = s->in[i].c;
        call.from[i] = s->x[i];
        call.to[i] = s->dx[i];
    }
    return call;
}

static dv_status forward(dv_node_step *s)
{
    dv_concat call = describe(s);
    DV_CUDA(dv_launch_concat(s->x_type[0].dtype, &call, s->y, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_concat call = describe(s);
    DV_CUDA(dv_launch_concat_backward(s->x_type[0].dtype, &call, s->dy, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_concat_cuda = {.forward = forward, .backward = backward};
