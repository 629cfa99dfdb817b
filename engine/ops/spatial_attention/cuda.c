/* Spatial attention on a CUDA device: one kernel in each direction, for maps that fit into shared
   memory. */
#include "engine/ops/cuda.h"
#include "engine/ops/spatial_attention/spatial_attention.h"
#include "kernels/spatial_attention.h"

#include <inttypes.h>

static dv_spatial_attention_sizes get_sizes(const dv_node_step *s)
{
    const dv_spatial_attention_attr *attr = s->node->attr;
    dv_shape x = s->in[0];
    return (dv_spatial_attention_sizes){x.n, x.h, x.w, x.c, attr->kernel};
}

/* Bytes of one number for each position. */
static size_t positions_bytes(const dv_node_step *s)
{
    return dv_cuda_aligned((size_t)dv_shape_rows(s->in[0]) * sizeof(float));
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_spatial_attention_sizes z = get_sizes(s);
    size_t shared = dv_spatial_attention_shared(&z);
    if (shared > DV_GATE_SHARED)
        return DV_FAIL(DV_EUNSUPPORTED,
                       "spatial_attention '%s': input %s with a %" PRId64 "x%" PRId64
                       " kernel: its maps need %zu bytes of shared memory, there are %d",
                       s->node->name, dv_shape_format(s->in[0]).text, z.kernel, z.kernel, shared,
                       DV_GATE_SHARED);
    dv_planner_save(planner, 4 * positions_bytes(s) + sizeof(unsigned));
    if (s->training)
        dv_planner_scratch(planner, (size_t)(z.samples * 2 * z.kernel * z.kernel) * sizeof(float));
    return DV_OK;
}

static dv_spatial_attention_saved get_saved(const dv_node_step *s)
{
    char *map = s->saved, *gate = map + 2 * positions_bytes(s);
    char *place = gate + positions_bytes(s), *ticket = place + positions_bytes(s);
    return (dv_spatial_attention_saved){.map = (float *)(void *)map,
                                        .gate = (float *)(void *)gate,
                                        .place = (int32_t *)(void *)place,
                                        .ticket = (unsigned *)(void *)ticket};
}

static dv_status forward(dv_node_step *s)
{
    dv_spatial_attention_sizes z = get_sizes(s);
    dv_spatial_attention_saved record = get_saved(s);
    DV_CUDA(dv_launch_spatial_attention(s->x_type[0].dtype, &z, s->x[0], s->w[0], &record, s->y,
                                        dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_spatial_attention_sizes z = get_sizes(s);
    dv_spatial_attention_saved record = get_saved(s);
    DV_CUDA(dv_launch_spatial_attention_backward(s->x_type[0].dtype, &z, s->x[0], s->dy, s->w[0],
                                                 &record, s->scratch, s->dx[0], s->dw[0],
                                                 dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_spatial_attention_cuda = {.plan = plan, .forward = forward, .backward = backward};
