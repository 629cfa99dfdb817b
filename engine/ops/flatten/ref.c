/* The reference of flattening: copies, element by element. */
#include "engine/ops/ref.h"

static dv_status forward(dv_node_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    dv_shape in = s->in[0];
    int64_t positions = in.h * in.w;
    for (int64_t n = 0; n < in.n; n++) {
        for (int64_t c = 0; c < in.c; c++) {
            for (int64_t i = 0; i < positions; i++)
                y[(n * in.c + c) * positions + i] = x[(n * positions + i) * in.c + c];
        }
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    real *dx = s->dx[0];
    dv_shape in = s->in[0];
    int64_t positions = in.h * in.w;
    for (int64_t n = 0; dx != NULL && n < in.n; n++) {
        for (int64_t c = 0; c < in.c; c++) {
            for (int64_t i = 0; i < positions; i++)
                dx[(n * positions + i) * in.c + c] = dy[(n * in.c + c) * positions + i];
        }
    }
    return DV_OK;
}

const dv_impl DV_REF(flatten) = {.forward = forward, .backward = backward};
