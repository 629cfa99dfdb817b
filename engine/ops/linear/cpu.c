/*
 * The CPU's ways to compute a linear layer:
 *
 *     packed  without backward: our own kernels on a packed weight, and with them the batch norm,
 *             sum and activation that follow
 *     dense   oneDNN, the weight in PyTorch's order (cpu_trained.c)
 */
#include "engine/gemm/cpu_packed.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"
#include "engine/ops/cpu_absorbed.h"
#include "engine/ops/linear/cpu_trained.h"
#include "engine/ops/linear/linear.h"

#include <stdlib.h>

typedef struct linear {
    bool packed;
    dv_packed product; /* where it is */
    void *dense;       /* else dv_node_step.self of the dense way */
} linear;

static dv_status fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits)
{
    const dv_linear_attr *attr = s->node->attr;
    *fits = false;
    if (s->training)
        return DV_OK;
    return dv_packed_settle(planner, 0, 4, (int64_t[]){attr->units, s->in[0].c, 1, 1}, fits);
}

static bool absorb(dv_planner *planner, dv_node_step *s, const dv_node *next, int input)
{
    const dv_linear_attr *attr = s->node->attr;
    bool fits;
    return dv__cpu_epilogue_takes(s, attr->activation, true, next, input) &&
           fits_packed(planner, s, &fits) == DV_OK && fits;
}

/* ---- Planning ---- */

static dv_status plan_packed(dv_planner *planner, const dv_node_step *s, dv_packed *product)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_planner_scratch(planner, dv__cpu_epilogue_bytes(attr->units));
    return dv_packed_rows(s, dv_shape_rows(s->in[0]), s->in[0].c, attr->units, product);
}

static dv_status plan_dense(dv_planner *planner, const dv_node_step *s, linear *self)
{
    dv_node_step inner = *s;
    DV_TRY(dv__linear_dense.plan(planner, &inner));
    self->dense = inner.self;
    return DV_OK;
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    bool fits;
    linear *self;
    DV_TRY(fits_packed(planner, s, &fits));
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->packed = fits;
    dv_status status =
        fits ? plan_packed(planner, s, &self->product) : plan_dense(planner, s, self);
    if (status != DV_OK) {
        free(self);
        return status;
    }
    s->self = self;
    return DV_OK;
}

/* ---- Running ---- */

/* The step as the dense way has planned it. */
static dv_node_step dense_step(const dv_node_step *s)
{
    const linear *self = s->self;
    dv_node_step inner = *s;
    inner.self = self->dense;
    return inner;
}

static dv_status forward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    const linear *self = s->self;
    if (self->packed) {
        dv_cpu_epilogue after = dv__cpu_epilogue_make(
            s, attr->activation, attr->bias ? s->w[1] : NULL, attr->units, s->scratch);
        dv_packed_run(&self->product, s->x[0], s->w[0], &after, s->y);
        return DV_OK;
    }
    dv_node_step inner = dense_step(s);
    return dv__linear_dense.forward(&inner);
}

static dv_status backward(dv_node_step *s)
{
    dv_node_step inner = dense_step(s);
    return dv__linear_dense.backward(&inner);
}

static void drop(dv_node_step *s)
{
    linear *self = s->self;
    dv_node_step inner = dense_step(s);
    if (self->packed)
        dv_packed_drop(&self->product);
    else
        dv__linear_dense.drop(&inner);
    free(self);
}

const dv_impl dv_linear_cpu = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop, .absorb = absorb};
