/* The reference of concatenation: copies, element by element. */
#include "engine/ops/ref.h"

static dv_status forward(dv_node_step *s)
{
    real *y = s->y;
    for (int64_t row = 0; row < dv_shape_rows(s->node->shape); row++) {
        for (int i = 0; i < s->node->input_count; i++) {
            const real *x = (const real *)s->x[i] + row * s->in[i].c;
            for (int64_t c = 0; c < s->in[i].c; c++)
                *y++ = x[c];
        }
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    for (int64_t row = 0; row < dv_shape_rows(s->node->shape); row++) {
        for (int i = 0; i < s->node->input_count; i++) {
            for (int64_t c = 0; c < s->in[i].c; c++, dy++) {
                if (s->dx[i] != NULL)
                    ((real *)s->dx[i])[row * s->in[i].c + c] = *dy;
            }
        }
    }
    return DV_OK;
}

const dv_impl DV_REF(concat) = {.forward = forward, .backward = backward};
