/* Flattening on the CPU: transposes each sample's matrix. */
#include "engine/ops/cpu.h"

/* Transposes each sample's matrix (rows, columns) into (columns, rows). */
static void transpose_samples(const float *x, float *y, int64_t samples, int64_t rows,
                              int64_t columns)
{
    int64_t sample = rows * columns;
#pragma omp parallel for schedule(static) if (samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++)
        dv_transpose(x + n * sample, rows, columns, y + n * sample);
}

static dv_status forward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    transpose_samples(s->x[0], s->y, in.n, in.h * in.w, in.c);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape in = s->in[0];
    if (s->dx[0] != NULL)
        transpose_samples(s->dy, s->dx[0], in.n, in.c, in.h * in.w);
    return DV_OK;
}

const dv_impl dv_flatten_cpu = {.forward = forward, .backward = backward};
