#include "engine/ops/cpu.h"

/* One sample: x (rows, channels) -> y (channels). */
DV_CPU_CLONES
static void mean_sample(const float *restrict x, float *restrict y, int64_t rows, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        y[c] = 0;
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        const float *a = x + row * channels, *b = a + channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[c] += (a[c] + b[c]) + (a[c + 2 * channels] + b[c + 2 * channels]);
    }
    for (; row < rows; row++) {
        const float *a = x + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[c] += a[c];
    }
    float share = 1.0F / (float)rows;
    for (int64_t c = 0; c < channels; c++)
        y[c] *= share;
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

static dv_status forward(dv_step *s)
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

static dv_status backward(dv_step *s)
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

const dv_impl dv__global_avgpool_cpu = {.forward = forward, .backward = backward};
