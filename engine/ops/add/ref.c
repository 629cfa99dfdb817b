/* The reference of addition: plain loops. */
#include "engine/ops/ref.h"

static dv_status forward(dv_node_step *s)
{
    const real *a = s->x[0], *b = s->x[1];
    real *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
    for (int64_t i = 0; i < count; i++)
        y[i] = a[i] + b[i];
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    int64_t count = dv_shape_count(s->node->shape);
    for (int input = 0; input < 2; input++) {
        real *dx = s->dx[input];
        for (int64_t i = 0; dx != NULL && i < count; i++)
            dx[i] = dy[i];
    }
    return DV_OK;
}

const dv_impl DV_REF(add) = {.forward = forward, .backward = backward};
