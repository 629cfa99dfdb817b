/* The reference of the mean over all positions: sums in double. */
#include "engine/ops/ref.h"

static dv_status forward(dv_node_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    dv_shape in = s->in[0];
    int64_t positions = in.h * in.w;
    for (int64_t k = 0; k < in.n * in.c; k++) {
        const real *first = x + k / in.c * positions * in.c + k % in.c;
        double sum = 0;
        for (int64_t i = 0; i < positions; i++)
            sum += (double)first[i * in.c];
        y[k] = (real)(sum / (double)positions);
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    real *dx = s->dx[0];
    dv_shape in = s->in[0];
    int64_t positions = in.h * in.w, sample = positions * in.c;
    for (int64_t i = 0; dx != NULL && i < in.n * sample; i++)
        dx[i] = (real)((double)dy[i / sample * in.c + i % in.c] / (double)positions);
    return DV_OK;
}

const dv_impl DV_REF(global_avgpool) = {.forward = forward, .backward = backward};
