/* Squeeze and excitation on a CUDA device: one kernel in each direction, for channels and middle
   units that fit into shared memory. */
#include "engine/ops/cuda.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"
#include "kernels/squeeze_excite.h"

#include <inttypes.h>

static dv_squeeze_excite_sizes get_sizes(const dv_node_step *s)
{
    const dv_squeeze_excite_attr *attr = s->node->attr;
    dv_shape x = s->in[0];
    return (dv_squeeze_excite_sizes){x.n, x.h * x.w, x.c, dv_squeeze_excite_middle(attr, x.c),
                                     attr->activation};
}

/* Bytes of a part of saved memory or scratch with a row for each sample. */
static size_t part(const dv_squeeze_excite_sizes *z, int64_t row)
{
    return dv_cuda_aligned((size_t)(z->samples * row) * sizeof(float));
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_squeeze_excite_sizes z = get_sizes(s);
    size_t shared = dv_squeeze_excite_shared(&z);
    if (shared > DV_GATE_SHARED)
        return DV_FAIL(DV_EUNSUPPORTED,
                       "squeeze_excite '%s': %" PRId64 " channels and %" PRId64
                       " middle units need %zu bytes of shared memory, there are %d",
                       s->node->name, z.channels, z.middle, shared, DV_GATE_SHARED);
    dv_planner_save(planner, 2 * part(&z, z.channels) + 2 * part(&z, z.middle) + sizeof(unsigned));
    if (s->training)
        dv_planner_scratch(planner, part(&z, z.channels) + part(&z, z.middle));
    return DV_OK;
}

static dv_squeeze_excite_weights get_weights(const dv_node_step *s)
{
    return (dv_squeeze_excite_weights){s->w[0], s->w[1], s->w[2], s->w[3]};
}

static dv_squeeze_excite_saved get_saved(const dv_node_step *s, const dv_squeeze_excite_sizes *z)
{
    char *mean = s->saved, *gate = mean + part(z, z->channels);
    char *before = gate + part(z, z->channels), *hidden = before + part(z, z->middle);
    return (dv_squeeze_excite_saved){.mean = (float *)(void *)mean,
                                     .before = (float *)(void *)before,
                                     .hidden = (float *)(void *)hidden,
                                     .gate = (float *)(void *)gate,
                                     .ticket = (unsigned *)(void *)(hidden + part(z, z->middle))};
}

static dv_status forward(dv_node_step *s)
{
    dv_squeeze_excite_sizes z = get_sizes(s);
    dv_squeeze_excite_weights weights = get_weights(s);
    dv_squeeze_excite_saved record = get_saved(s, &z);
    DV_CUDA(dv_launch_squeeze_excite(s->x_type[0].dtype, &z, s->x[0], &weights, &record, s->y,
                                     dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_squeeze_excite_sizes z = get_sizes(s);
    dv_squeeze_excite_weights weights = get_weights(s);
    dv_squeeze_excite_saved record = get_saved(s, &z);
    dv_squeeze_excite_gradients gradients = {s->dw[0], s->dw[1], s->dw[2], s->dw[3]};
    char *reduce = s->scratch, *expand = reduce + part(&z, z.middle);
    dv_squeeze_excite_scratch scratch = {(float *)(void *)reduce, (float *)(void *)expand};
    DV_CUDA(dv_launch_squeeze_excite_backward(s->x_type[0].dtype, &z, s->x[0], s->dy, &weights,
                                              &record, &scratch, s->dx[0], &gradients,
                                              dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_squeeze_excite_cuda = {.plan = plan, .forward = forward, .backward = backward};
