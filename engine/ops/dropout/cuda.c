/* Dropout on a CUDA device: one kernel for both directions, which draws its random words itself. */
#include "engine/ops/dropout/dropout.h"

#include "engine/base/rng.h"
#include "engine/ops/cuda.h"
#include "kernels/dropout.h"

/* Backward draws the same numbers again, which is cheaper than saving them. */
static dv_status apply(const dv_node_step *s, const void *from, void *to)
{
    const dv_dropout_attr *attr = s->node->attr;
    dv_shape shape = s->node->shape;
    dv_dtype dtype = s->x_type[0].dtype;
    if (!dv__dropout_drops(s)) {
        DV_CUDA(cudaMemcpyAsync(to, from, (size_t)dv_shape_count(shape) * dv_dtype_size(dtype),
                                cudaMemcpyDeviceToDevice, dv_cuda_stream(s)));
        return DV_OK;
    }
    dv_dropout call = {
        .samples = shape.n,
        .positions = shape.h * shape.w,
        .channels = shape.c,
        .whole_channels = attr->channels,
        .rate = attr->rate,
        .seed = s->pass->seed,
        .step = s->pass->step,
        .progress = s->pass->progress,
        .use = DV_RNG_DROPOUT + (uint32_t)s->node->id,
    };
    DV_CUDA(dv_launch_dropout(dtype, &call, from, to, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    return apply(s, s->x[0], s->y);
}

static dv_status backward(dv_node_step *s)
{
    return s->dx[0] != NULL ? apply(s, s->dy, s->dx[0]) : DV_OK;
}

const dv_impl dv_dropout_cuda = {.forward = forward, .backward = backward};
