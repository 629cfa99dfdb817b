/* The reference of dropout: both directions draw the factor of each element. */
#include "engine/ops/dropout/dropout.h"

#include "engine/base/rng.h"
#include "engine/ops/ref.h"

/* The factor of element i: 0 or 1 / (1 - rate). */
static double factor(const dv_node_step *s, int64_t i)
{
    const dv_dropout_attr *attr = s->node->attr;
    if (!dv__dropout_drops(s))
        return 1;
    dv_shape shape = s->node->shape;
    int64_t sample = shape.h * shape.w * shape.c;
    int64_t e = attr->channels ? i / sample * shape.c + i % shape.c : i;
    dv_rng rng = {s->pass->seed, DV_RNG_DROPOUT + (uint32_t)s->node->id, s->pass->step};
    uint32_t words[4];
    dv_rng_words(&rng, (uint32_t)(e / 4), words);
    return (double)dv_uniform_from_bits(words[e % 4]) >= attr->rate ? 1 / (1 - attr->rate) : 0;
}

static dv_status forward(dv_node_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    for (int64_t i = 0; i < dv_shape_count(s->node->shape); i++)
        y[i] = (real)((double)x[i] * factor(s, i));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    real *dx = s->dx[0];
    for (int64_t i = 0; dx != NULL && i < dv_shape_count(s->node->shape); i++)
        dx[i] = (real)((double)dy[i] * factor(s, i));
    return DV_OK;
}

const dv_impl DV_REF(dropout) = {.forward = forward, .backward = backward};
