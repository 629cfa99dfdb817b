/*
 * The CPU's implementations of a linear layer:
 *
 *     packed  for inference: our own kernels on a packed weight, which also compute the following
 *             batch norm, sum and activation
 *     dense   oneDNN's products, with the weight in PyTorch's order (cpu_trained.c)
 *     int8    for inference with integers (cpu_int8.c)
 */
#include "engine/gemm/cpu_packed.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"
#include "engine/ops/cpu_absorbed.h"
#include "engine/ops/linear/cpu_int8.h"
#include "engine/ops/linear/cpu_trained.h"
#include "engine/ops/linear/linear.h"

#include <stdlib.h>

typedef struct linear {
    const dv_impl *way; /* dense or int8; NULL stands for packed */
    void *self;         /* dv_node_step.self for `way` */
    dv_packed product;  /* the product of packed */
} linear;

static dv_status fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits)
{
    const dv_linear_attr *attr = s->node->attr;
    *fits = false;
    if (s->training || dv__linear_is_int8(s))
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

static dv_status plan_way(dv_planner *planner, const dv_node_step *s, linear *self)
{
    dv_node_step inner = *s;
    self->way = dv__linear_is_int8(s) ? &dv__linear_int8 : &dv__linear_dense;
    DV_TRY(self->way->plan(planner, &inner));
    self->self = inner.self;
    return DV_OK;
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    bool fits;
    linear *self;
    DV_TRY(fits_packed(planner, s, &fits));
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    dv_status status = fits ? plan_packed(planner, s, &self->product) : plan_way(planner, s, self);
    if (status != DV_OK) {
        free(self);
        return status;
    }
    s->self = self;
    return DV_OK;
}

/* ---- Running ---- */

/* The step with the data of `way`. */
static dv_node_step inner_step(const dv_node_step *s)
{
    const linear *self = s->self;
    dv_node_step inner = *s;
    inner.self = self->self;
    return inner;
}

static dv_status forward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    const linear *self = s->self;
    if (self->way == NULL) {
        dv_cpu_epilogue after = dv__cpu_epilogue_make(
            s, attr->activation, attr->bias ? s->w[1] : NULL, attr->units, s->scratch);
        dv_packed_run(&self->product, s->x[0], s->w[0], &after, s->y);
        return DV_OK;
    }
    dv_node_step inner = inner_step(s);
    return self->way->forward(&inner);
}

static dv_status backward(dv_node_step *s)
{
    dv_node_step inner = inner_step(s);
    return dv__linear_dense.backward(&inner);
}

static void drop(dv_node_step *s)
{
    linear *self = s->self;
    dv_node_step inner = inner_step(s);
    if (self->way == NULL)
        dv_packed_drop(&self->product);
    else
        self->way->drop(&inner);
    free(self);
}

const dv_impl dv_linear_cpu = {.plan = plan,
                               .forward = forward,
                               .backward = backward,
                               .drop = drop,
                               .absorb = absorb,
                               .computes = dv__linear_is_int8};
