#include "engine/ops/cpu.h"

/* y = x gate; also dx = dy gate. x, y (rows, channels), gate (rows). */
DV_CPU_CLONES
static void scale_rows(const float *restrict x, const float *restrict gate, float *restrict y,
                       int64_t rows, int64_t channels)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t offset = row * channels;
        float factor = gate[row];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[offset + c] = x[offset + c] * factor;
    }
}

/* dgate = sum over channels of dy x. */
DV_CPU_CLONES
static void sum_rows(const float *restrict x, const float *restrict dy, float *restrict dgate,
                     int64_t rows, int64_t channels)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t offset = row * channels;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < channels; c++)
            sum += x[offset + c] * dy[offset + c];
        dgate[row] = sum;
    }
}

static dv_status forward(dv_step *s)
{
    const float *x = s->x[0], *gate = s->x[1];
    float *y = s->y;
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row += DV_CPU_ROWS)
        scale_rows(x + row * channels, gate + row, y + row * channels,
                   dv__smaller(DV_CPU_ROWS, rows - row), channels);
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const float *x = s->x[0], *gate = s->x[1], *dy = s->dy;
    float *dx = s->dx[0], *dgate = s->dx[1];
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row += DV_CPU_ROWS) {
        int64_t offset = row * channels, some = dv__smaller(DV_CPU_ROWS, rows - row);
        if (dgate != NULL)
            sum_rows(x + offset, dy + offset, dgate + row, some, channels);
        if (dx != NULL)
            scale_rows(dy + offset, gate + row, dx + offset, some, channels);
    }
    return DV_OK;
}

const dv_impl dv__spatial_scale_cpu = {.forward = forward, .backward = backward};
