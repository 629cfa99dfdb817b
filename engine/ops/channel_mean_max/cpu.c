#include "engine/ops/cpu.h"

#include <math.h>

/* x (rows, channels) -> y (rows, 2). */
DV_CPU_CLONES
static void forward_rows(const float *restrict x, float *restrict y, int64_t rows, int64_t channels)
{
    float share = 1.0F / (float)channels;
    for (int64_t row = 0; row < rows; row++) {
        const float *from = x + row * channels;
        float sum = 0, best = -INFINITY;
        int nan = 0; /* a comparison would lose it */
#pragma omp simd reduction(+ : sum) reduction(max : best) reduction(| : nan)
        for (int64_t c = 0; c < channels; c++) {
            float value = from[c];
            sum += value;
            best = value > best ? value : best;
            nan |= value != value;
        }
        y[2 * row] = sum * share;
        y[2 * row + 1] = nan ? NAN : best;
    }
}

/* dx: the mean's gradient everywhere, the maximum's at its first place. */
DV_CPU_CLONES
static void backward_rows(const float *restrict x, const float *restrict y,
                          const float *restrict dy, float *restrict dx, int64_t rows,
                          int64_t channels)
{
    float share = 1.0F / (float)channels;
    int32_t width = (int32_t)channels;
    for (int64_t row = 0; row < rows; row++) {
        const float *from = x + row * channels;
        float *to = dx + row * channels;
        float best = y[2 * row + 1], of_mean = dy[2 * row] * share;
        int32_t place = width;
#pragma omp simd reduction(min : place)
        for (int32_t c = 0; c < width; c++) {
            int32_t candidate = from[c] == best ? c : width;
            place = candidate < place ? candidate : place;
            to[c] = of_mean;
        }
        if (place < width) /* not where the maximum is a NaN */
            to[place] += dy[2 * row + 1];
    }
}

static dv_status forward(dv_step *s)
{
    const float *x = s->x[0];
    float *y = s->y;
    int64_t rows = dv_shape_rows(s->in[0]), channels = s->in[0].c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row += DV_CPU_ROWS)
        forward_rows(x + row * channels, y + 2 * row, dv__smaller(DV_CPU_ROWS, rows - row),
                     channels);
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const float *x = s->x[0], *y = s->y, *dy = s->dy;
    float *dx = s->dx[0];
    int64_t rows = dv_shape_rows(s->in[0]), channels = s->in[0].c;
    if (dx == NULL)
        return DV_OK;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row += DV_CPU_ROWS)
        backward_rows(x + row * channels, y + 2 * row, dy + 2 * row, dx + row * channels,
                      dv__smaller(DV_CPU_ROWS, rows - row), channels);
    return DV_OK;
}

const dv_impl dv__channel_mean_max_cpu = {.forward = forward, .backward = backward};
