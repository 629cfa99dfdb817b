#include "engine/ops/cpu.h"

/* y = x gate; also dx = dy gate. One sample: x, y (rows, channels), gate (channels). */
DV_CPU_CLONES
static void scale_sample(const float *restrict x, const float *restrict gate, float *restrict y,
                         int64_t rows, int64_t channels)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t offset = row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[offset + c] = x[offset + c] * gate[c];
    }
}

/* dgate = sum over rows of dy x. */
DV_CPU_CLONES
static void sum_sample(const float *restrict x, const float *restrict dy, float *restrict dgate,
                       int64_t rows, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        dgate[c] = 0;
    int64_t row = 0;
    for (; row + 2 <= rows; row += 2) {
        const float *x0 = x + row * channels, *dy0 = dy + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dgate[c] += x0[c] * dy0[c] + x0[c + channels] * dy0[c + channels];
    }
    for (; row < rows; row++) {
        const float *x0 = x + row * channels, *dy0 = dy + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dgate[c] += x0[c] * dy0[c];
    }
}

static dv_status forward(dv_step *s)
{
    const float *x = s->x[0], *gate = s->x[1];
    float *y = s->y;
    dv_shape shape = s->node->shape;
    int64_t rows = shape.h * shape.w, sample = rows * shape.c;
#pragma omp parallel for schedule(static) if (shape.n * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < shape.n; n++)
        scale_sample(x + n * sample, gate + n * shape.c, y + n * sample, rows, shape.c);
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const float *x = s->x[0], *gate = s->x[1], *dy = s->dy;
    float *dx = s->dx[0], *dgate = s->dx[1];
    dv_shape shape = s->node->shape;
    int64_t rows = shape.h * shape.w, sample = rows * shape.c;
#pragma omp parallel for schedule(static) if (shape.n * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < shape.n; n++) {
        const float *gradient = dy + n * sample;
        if (dgate != NULL)
            sum_sample(x + n * sample, gradient, dgate + n * shape.c, rows, shape.c);
        if (dx != NULL)
            scale_sample(gradient, gate + n * shape.c, dx + n * sample, rows, shape.c);
    }
    return DV_OK;
}

const dv_impl dv__channel_scale_cpu = {.forward = forward, .backward = backward};
