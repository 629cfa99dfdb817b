/* The reference of the maximum over all positions: plain loops, channel by channel. */
#include "engine/ops/ref.h"

/* Saves the position of each maximum, (N,C) int32. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
    return DV_OK;
}

/* Finds the first maximum of each channel of a sample, and keeps its position for backward. */
static dv_status forward(dv_node_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    int32_t *place = s->saved;
    dv_shape in = s->in[0];
    int64_t positions = in.h * in.w;
    for (int64_t k = 0; k < in.n * in.c; k++) {
        const real *first = x + k / in.c * positions * in.c + k % in.c;
        y[k] = first[0];
        place[k] = 0;
        for (int64_t i = 1; i < positions; i++) {
            real value = first[i * in.c];
            if (value > y[k] || value != value) { /* a NaN wins */
                y[k] = value;
                place[k] = (int32_t)i;
            }
        }
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    const int32_t *place = s->saved;
    real *dx = s->dx[0];
    dv_shape in = s->in[0];
    int64_t sample = in.h * in.w * in.c;
    for (int64_t i = 0; dx != NULL && i < in.n * sample; i++)
        dx[i] = 0;
    for (int64_t k = 0; dx != NULL && k < in.n * in.c; k++)
        dx[k / in.c * sample + place[k] * in.c + k % in.c] = dy[k];
    return DV_OK;
}

const dv_impl DV_REF(global_maxpool) = {.plan = plan, .forward = forward, .backward = backward};
