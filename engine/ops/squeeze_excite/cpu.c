/*
 * The CPU's implementations of squeeze and excitation:
 *
 *     packed   for inference: both products on packed weights (gemm/cpu_packed.h), and the
 * following sum and activation in one pass with the scaling trained  for training, with a backward
 * pass (cpu_trained.c)
 */
#include "engine/gemm/cpu_packed.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"
#include "engine/ops/cpu_absorbed.h"
#include "engine/ops/global_avgpool/cpu_mean.h"
#include "engine/ops/squeeze_excite/cpu_trained.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"

#include <stdlib.h>
#include <string.h>

typedef struct squeeze {
    bool packed;
    int64_t middle;
    dv_packed reduce, expand; /* the products of packed */
} squeeze;

enum { REDUCE = 0, REDUCE_BIAS = 1, EXPAND = 2, EXPAND_BIAS = 3 }; /* parameters */

static dv_status fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits)
{
    int64_t channels = s->in[0].c;
    int64_t middle = dv_squeeze_excite_middle(s->node->attr, channels);
    *fits = false;
    if (s->training)
        return DV_OK;
    DV_TRY(dv_packed_settle(planner, REDUCE, 4, (int64_t[]){middle, channels, 1, 1}, fits));
    if (!*fits)
        return DV_OK;
    return dv_packed_settle(planner, EXPAND, 4, (int64_t[]){channels, middle, 1, 1}, fits);
}

static bool absorb(dv_planner *planner, dv_node_step *s, const dv_node *next, int input)
{
    bool fits;
    return dv__cpu_epilogue_takes(s, DV_ACT_NONE, false, next, input) &&
           fits_packed(planner, s, &fits) == DV_OK && fits;
}

/* ---- Planning ---- */

/* Scratch: the biases padded to whole vectors, means and gates (samples, channels), middle units
   (samples, middle). */
typedef struct workspace {
    float *reduce_bias, *expand_bias, *mean, *gate, *hidden;
    size_t bytes;
} workspace;

static float *part(workspace *w, char *base, int64_t count)
{
    float *at = (float *)(base + w->bytes);
    w->bytes += dv_cpu_aligned((size_t)count * sizeof(float));
    return at;
}

static workspace get_workspace(const dv_node_step *s, int64_t middle, void *base)
{
    int64_t samples = s->in[0].n, channels = s->in[0].c;
    workspace w = {.bytes = 0};
    w.reduce_bias = part(&w, base, middle);
    w.expand_bias = part(&w, base, channels);
    w.mean = part(&w, base, samples * channels);
    w.gate = part(&w, base, samples * channels);
    w.hidden = part(&w, base, samples * middle);
    return w;
}

static dv_status plan_packed(dv_planner *planner, const dv_node_step *s, squeeze *self)
{
    char none; /* any address; only the sizes matter */
    int64_t samples = s->in[0].n, channels = s->in[0].c;
    dv_planner_scratch(planner, get_workspace(s, self->middle, &none).bytes);
    DV_TRY(dv_packed_rows(s, samples, channels, self->middle, &self->reduce));
    dv_status status = dv_packed_rows(s, samples, self->middle, channels, &self->expand);
    if (status != DV_OK)
        dv_packed_drop(&self->reduce);
    return status;
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    bool fits;
    squeeze *self;
    DV_TRY(fits_packed(planner, s, &fits));
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->packed = fits;
    self->middle = dv_squeeze_excite_middle(s->node->attr, s->in[0].c);
    dv_status status =
        fits ? plan_packed(planner, s, self) : dv__squeeze_excite_trained.plan(planner, s);
    if (status != DV_OK) {
        free(self);
        return status;
    }
    s->self = self;
    return DV_OK;
}

/* ---- Running ---- */

DV_CPU_CLONES
static void mean_sample(const float *x, float *mean, int64_t positions, int64_t channels)
{
    dv__cpu_mean_rows(x, mean, positions, channels);
}

/* y = max(x gate [+ residual], least) for one sample. */
DV_CPU_CLONES
static void scale_sample(const float *restrict x, const float *restrict gate, const float *residual,
                         bool relu, int64_t positions, int64_t channels, float *restrict y)
{
    for (int64_t i = 0; i < positions * channels; i += channels) {
        const float *from = x + i, *other = residual != NULL ? residual + i : NULL;
        float *to = y + i;
        if (other == NULL) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = from[c] * gate[c];
        } else if (relu) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = dv_relu(from[c] * gate[c] + other[c]);
        } else {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = from[c] * gate[c] + other[c];
        }
    }
}

static void scale_samples(const dv_node_step *s, const float *gate)
{
    int64_t channels = s->in[0].c, positions = s->in[0].h * s->in[0].w;
    int64_t samples = s->in[0].n, sample = positions * channels;
    dv_cpu_epilogue after = dv__cpu_epilogue_follow(s, DV_ACT_NONE);
    const float *x = s->x[0], *residual = after.residual;
    bool relu = residual != NULL && after.activation == DV_ACT_RELU;
    float *y = s->y;
#pragma omp parallel for schedule(static) if (samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++) {
        int64_t at = n * sample;
        scale_sample(x + at, gate + n * channels, residual != NULL ? residual + at : NULL, relu,
                     positions, channels, y + at);
        if (!relu)
            dv_cpu_activate(after.activation, y, &at, 1, sample);
    }
}

static dv_status forward_packed(const dv_node_step *s, const squeeze *self)
{
    const dv_squeeze_excite_attr *attr = s->node->attr;
    int64_t channels = s->in[0].c, positions = s->in[0].h * s->in[0].w, samples = s->in[0].n;
    workspace w = get_workspace(s, self->middle, s->scratch);
    const float *x = s->x[0];
    memcpy(w.reduce_bias, s->w[REDUCE_BIAS], (size_t)self->middle * sizeof(float));
    memcpy(w.expand_bias, s->w[EXPAND_BIAS], (size_t)channels * sizeof(float));
#pragma omp parallel for schedule(static) if (samples * positions * channels > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++)
        mean_sample(x + n * positions * channels, w.mean + n * channels, positions, channels);
    dv_cpu_epilogue reduce = {.shift = w.reduce_bias, .activation = attr->activation};
    dv_cpu_epilogue expand = {.shift = w.expand_bias, .activation = DV_ACT_SIGMOID};
    dv_packed_run(&self->reduce, w.mean, s->w[REDUCE], &reduce, w.hidden);
    dv_packed_run(&self->expand, w.hidden, s->w[EXPAND], &expand, w.gate);
    scale_samples(s, w.gate);
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    const squeeze *self = s->self;
    return self->packed ? forward_packed(s, self) : dv__squeeze_excite_trained.forward(s);
}

static dv_status backward(dv_node_step *s)
{
    return dv__squeeze_excite_trained.backward(s);
}

static void drop(dv_node_step *s)
{
    squeeze *self = s->self;
    dv_packed_drop(&self->reduce);
    dv_packed_drop(&self->expand);
    free(self);
}

const dv_impl dv_squeeze_excite_cpu = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop, .absorb = absorb};
