/* The maximum over all positions on the CPU: sample by sample, with vectors of channels. */
#include "engine/ops/cpu.h"

/* Saves the position of each maximum, (N,C) int32. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
    return DV_OK;
}

/* For one sample: x (rows, channels) -> y, place (channels). A NaN wins, as in PyTorch. */
DV_CPU_CLONES
static void max_sample(const float *restrict x, float *restrict y, int32_t *restrict place,
                       int64_t rows, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++) {
        y[c] = x[c];
        place[c] = 0;
    }
    for (int64_t row = 1; row < rows; row++) {
        const float *from = x + row * channels;
        int32_t here = (int32_t)row;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            float value = from[c], best = y[c];
            int32_t old = place[c];
            int better = (value > best) | (value != value);
            y[c] = better ? value : best;
            place[c] = better ? here : old;
        }
    }
}

DV_CPU_CLONES
static void spread_sample(const float *restrict dy, const int32_t *restrict place,
                          float *restrict dx, int64_t rows, int64_t channels)
{
    for (int64_t row = 0; row < rows; row++) {
        int32_t here = (int32_t)row;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            float gradient = dy[c];
            dx[row * channels + c] = place[c] == here ? gradient : 0.0F;
        }
    }
}

static dv_status forward(dv_node_step *s)
{
    const float *x = s->x[0];
    float *y = s->y;
    int32_t *place = s->saved;
    dv_shape in = s->in[0];
    int64_t rows = in.h * in.w;
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < in.n; n++)
        max_sample(x + n * rows * in.c, y + n * in.c, place + n * in.c, rows, in.c);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const float *dy = s->dy;
    const int32_t *place = s->saved;
    float *dx = s->dx[0];
    dv_shape in = s->in[0];
    int64_t rows = in.h * in.w;
    if (dx == NULL)
        return DV_OK;
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < in.n; n++)
        spread_sample(dy + n * in.c, place + n * in.c, dx + n * rows * in.c, rows, in.c);
    return DV_OK;
}

const dv_impl dv_global_maxpool_cpu = {.plan = plan, .forward = forward, .backward = backward};
