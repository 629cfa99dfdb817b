/* Flattening on a CUDA device, by the kernel that swaps axes. */
#include "engine/ops/cuda.h"
#include "kernels/shape.h"

/* Transposes each sample's matrix (positions, channels). */
static dv_status forward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    DV_CUDA(dv_launch_swap_axes(s->x_type[0].dtype, s->x[0], s->y, in.n, in.h * in.w, in.c, 1,
                                dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_swap_axes(s->x_type[0].dtype, s->dy, s->dx[0], in.n, in.c, in.h * in.w, 1,
                                dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_flatten_cuda = {.forward = forward, .backward = backward};
