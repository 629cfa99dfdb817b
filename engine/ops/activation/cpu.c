/* Activations on the CPU: blocks of elements, with a vectorised loop for each function. */
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"

DV_CPU_INLINE void apply(int kind, const float *restrict x, float *restrict y, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = dv_activate(kind, x[i]);
}

DV_CPU_CLONES
static void forward_block(int kind, const float *x, float *y, int64_t count){
#define APPLY(constant) apply(constant, x, y, count)
    DV_ACTIVATION_SWITCH(kind, APPLY)
#undef APPLY
}

DV_CPU_INLINE void apply_slope(int kind, const float *restrict x, const float *restrict y,
                               const float *restrict dy, float *restrict dx, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        dx[i] = dy[i] * dv_activation_slope(kind, x[i], y[i]);
}

DV_CPU_CLONES
static void backward_block(int kind, const float *x, const float *y, const float *dy, float *dx,
                           int64_t count)
{
#define APPLY(constant) apply_slope(constant, x, y, dy, dx, count)
    DV_ACTIVATION_SWITCH(kind, APPLY)
#undef APPLY
}

static dv_status forward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    const float *x = s->x[0];
    float *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        forward_block(attr->kind, x + i, y + i, dv_smaller(DV_CPU_BLOCK, count - i));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_activation_attr *attr = s->node->attr;
    const float *x = s->x[0], *y = s->y, *dy = s->dy;
    float *dx = s->dx[0];
    if (dx == NULL)
        return DV_OK;
    int64_t count = dv_shape_count(s->node->shape);
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        backward_block(attr->kind, x + i, y + i, dy + i, dx + i,
                       dv_smaller(DV_CPU_BLOCK, count - i));
    return DV_OK;
}

const dv_impl dv_activation_cpu = {.forward = forward, .backward = backward};
