/* The mean over all positions on the CPU: sample by sample, with vectors of channels. */
#include "engine/ops/global_avgpool/cpu_mean.h"

DV_CPU_CLONES
static void mean_sample(const float *x, float *y, int64_t rows, int64_t channels)
{
    dv__cpu_mean_rows(x, y, rows, channels);
}

DV_CPU_CLONES
static void spread_sample(const float *restrict dy, float *restrict dx, int64_t rows,
                          int64_t channels)
{
    float share = 1.0F / (float)rows;
    for (int64_t row = 0; row < rows; row++) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dx[row * channels + c] = dy[c] * share;
    }
}

static dv_status forward(dv_node_step *s)
{
    const float *x = s->x[0];
    float *y = s->y;
    dv_shape in = s->in[0];
    int64_t rows = in.h * in.w;
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < in.n; n++)
        mean_sample(x + n * rows * in.c, y + n * in.c, rows, in.c);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const float *dy = s->dy;
    float *dx = s->dx[0];
    dv_shape in = s->in[0];
    int64_t rows = in.h * in.w;
    if (dx == NULL)
        return DV_OK;
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < in.n; n++)
        spread_sample(dy + n * in.c, dx + n * rows * in.c, rows, in.c);
    return DV_OK;
}

const dv_impl dv_global_avgpool_cpu = {.forward = forward, .backward = backward};
