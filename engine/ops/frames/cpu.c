/* Frames on the CPU: swaps the rows and columns of each sample. */
#include "engine/ops/cpu.h"

#include <string.h>

/* x (rows, columns, channels) -> y (columns, rows, channels). */
static void swap_sample(const float *x, float *y, int64_t rows, int64_t columns, int64_t channels)
{
    if (channels == 1) { /* a feature image */
        dv_transpose(x, rows, columns, y);
        return;
    }
    for (int64_t column = 0; column < columns; column++) {
        for (int64_t row = 0; row < rows; row++)
            memcpy(y + (column * rows + row) * channels, x + (row * columns + column) * channels,
                   (size_t)channels * sizeof *y);
    }
}

static void swap_samples(const float *x, float *y, int64_t samples, int64_t rows, int64_t columns,
                         int64_t channels)
{
    int64_t sample = rows * columns * channels;
#pragma omp parallel for schedule(static) if (samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++)
        swap_sample(x + n * sample, y + n * sample, rows, columns, channels);
}

static dv_status forward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    swap_samples(s->x[0], s->y, in.n, in.h, in.w, in.c);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    if (s->dx[0] != NULL)
        swap_samples(s->dy, s->dx[0], in.n, in.w, in.h, in.c);
    return DV_OK;
}

const dv_impl dv_frames_cpu = {.forward = forward, .backward = backward};
