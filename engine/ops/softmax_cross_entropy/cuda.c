/* Cross-entropy on a CUDA device: one kernel in each direction. */
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include "engine/ops/cuda.h"
#include "kernels/softmax.h"

static dv_status forward(dv_node_step *s)
{
    const dv_softmax_cross_entropy_attr *attr = s->node->attr;
    DV_CUDA(dv_launch_softmax_cross_entropy(s->x_type[0].dtype, attr->smoothing, s->x[0], s->x[1],
                                            s->y, s->in[0].n, s->in[0].c, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_softmax_cross_entropy_attr *attr = s->node->attr;
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_softmax_cross_entropy_backward(s->x_type[0].dtype, attr->smoothing, s->x[0],
                                                     s->x[1], s->dy, s->dx[0], s->in[0].n,
                                                     s->in[0].c, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_softmax_cross_entropy_cuda = {.forward = forward, .backward = backward};
