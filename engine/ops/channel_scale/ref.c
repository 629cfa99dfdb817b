#include "engine/ops/ref.h"

static dv_status forward(dv_step *s)
{
    const real *x = s->x[0], *gate = s->x[1];
    real *y = s->y;
    dv_shape shape = s->node->shape;
    int64_t sample = shape.h * shape.w * shape.c;
    for (int64_t i = 0; i < dv_shape_count(shape); i++)
        y[i] = x[i] * gate[i / sample * shape.c + i % shape.c];
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const real *x = s->x[0], *gate = s->x[1], *dy = s->dy;
    real *dx = s->dx[0], *dgate = s->dx[1];
    dv_shape shape = s->node->shape;
    int64_t sample = shape.h * shape.w * shape.c;
    for (int64_t k = 0; k < shape.n * shape.c; k++) {
        int64_t begin = k / shape.c * sample + k % shape.c, end = (k / shape.c + 1) * sample;
        double sum = 0;
        for (int64_t i = begin; i < end; i += shape.c) {
            if (dx != NULL)
                dx[i] = dy[i] * gate[k];
            sum += (double)dy[i] * (double)x[i];
        }
        if (dgate != NULL)
            dgate[k] = (real)sum;
    }
    return DV_OK;
}

const dv_impl DV_REF(channel_scale) = {.forward = forward, .backward = backward};
