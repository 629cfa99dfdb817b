/* The reference of activations: the functions of libm, in double. */
#include "engine/ops/activation/ref_math.h"
#include "engine/ops/ref.h"

static dv_status forward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    const real *x = s->x[0];
    real *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)dv__ref_activate(attr->kind, (double)x[i]);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    const real *x = s->x[0], *dy = s->dy;
    real *dx = s->dx[0];
    int64_t count = dv_shape_count(s->node->shape);
    for (int64_t i = 0; dx != NULL && i < count; i++)
        dx[i] = (real)((double)dy[i] * dv__ref_activation_slope(attr->kind, (double)x[i]));
    return DV_OK;
}

const dv_impl DV_REF(activation) = {.forward = forward, .backward = backward};
