/* Concatenation on the CPU: copies of the channels of each row. */
#include "engine/ops/cpu.h"

#include <string.h>

/* Faster than memcpy for rows of few channels. */
static inline void copy_channels(float *to, const float *from, int64_t count)
{
    if (count >= 16) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return;
    }
    for (int64_t c = 0; c < count; c++)
        to[c] = from[c];
}

static dv_status forward(dv_node_step *s)
{
    float *y = s->y;
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row++) {
        float *to = y + row * channels;
        for (int i = 0; i < s->node->input_count; i++) {
            int64_t width = s->in[i].c;
            copy_channels(to, (const float *)s->x[i] + row * width, width);
            to += width;
        }
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const float *dy = s->dy;
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row++) {
        const float *from = dy + row * channels;
        for (int i = 0; i < s->node->input_count; i++) {
            int64_t width = s->in[i].c;
            if (s->dx[i] != NULL)
                copy_channels((float *)s->dx[i] + row * width, from, width);
            from += width;
        }
    }
    return DV_OK;
}

const dv_impl dv_concat_cpu = {.forward = forward, .backward = backward};
