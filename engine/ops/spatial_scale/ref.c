#include "engine/ops/ref.h"

static dv_status forward(dv_step *s)
{
    const real *x = s->x[0], *gate = s->x[1];
    real *y = s->y;
    dv_shape shape = s->node->shape;
    for (int64_t i = 0; i < dv_shape_count(shape); i++)
        y[i] = x[i] * gate[i / shape.c];
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const real *x = s->x[0], *gate = s->x[1], *dy = s->dy;
    real *dx = s->dx[0], *dgate = s->dx[1];
    dv_shape shape = s->node->shape;
    for (int64_t row = 0; row < dv_shape_rows(shape); row++) {
        double sum = 0;
        for (int64_t i = row * shape.c; i < (row + 1) * shape.c; i++) {
            if (dx != NULL)
                dx[i] = dy[i] * gate[row];
            sum += (double)dy[i] * (double)x[i];
        }
        if (dgate != NULL)
            dgate[row] = (real)sum;
    }
    return DV_OK;
}

const dv_impl DV_REF(spatial_scale) = {.forward = forward, .backward = backward};
