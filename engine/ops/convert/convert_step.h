/* The steps of a conversion, which are the same on every backend: dv_backend.convert does the
   work. */
#ifndef DV_OPS_CONVERT_STEP_H
#define DV_OPS_CONVERT_STEP_H

#include "engine/core/context.h"
#include "engine/core/graph.h"

static dv_status forward(dv_node_step *s)
{
    dv_conversion conversion = {.source = s->x[0],
                                .into = s->y,
                                .count = dv_shape_count(s->node->shape),
                                .from = s->x_type[0],
                                .to = s->node->type};
    return s->context->backend->convert(s->context, &conversion);
}

static dv_status backward(dv_node_step *s)
{
    dv_conversion conversion = {.source = s->dy,
                                .into = s->dx[0],
                                .count = dv_shape_count(s->node->shape),
                                .from = s->node->type,
                                .to = s->x_type[0]};
    return s->dx[0] != NULL ? s->context->backend->convert(s->context, &conversion) : DV_OK;
}

static bool computes(const dv_node_step *step)
{
    (void)step; /* any two types */
    return true;
}

#define DV_CONVERT_IMPL                                                                            \
    {                                                                                              \
        .forward = forward, .backward = backward, .computes = computes                             \
    }

#endif
