/* Addition on the CPU: a vectorised loop forward, and copies of the gradient backward. */
#include "engine/ops/cpu.h"

#include <string.h>

static dv_status forward(dv_node_step *s)
{
    const float *a = s->x[0], *b = s->x[1];
    float *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
#pragma omp parallel for simd schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i++)
        y[i] = a[i] + b[i];
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    size_t bytes = (size_t)dv_shape_count(s->node->shape) * sizeof(float);
    for (int input = 0; input < 2; input++) {
        if (s->dx[input] != NULL)
            memcpy(s->dx[input], s->dy, bytes);
    }
    return DV_OK;
}

const dv_impl dv_add_cpu = {.forward = forward, .backward = backward};
