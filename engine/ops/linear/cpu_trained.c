/* A linear layer on the CPU by oneDNN's products, with its activation and its backward pass. */
#include "engine/ops/linear/cpu_trained.h"
#include "engine/gemm/cpu_dense.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"
#include "engine/ops/linear/linear.h"

#include <stdlib.h>

static size_t output_bytes(const dv_node_step *s)
{
    return dv_cpu_aligned((size_t)dv_shape_count(s->node->shape) * sizeof(float));
}

/* Bytes of the gradient before the activation, which begins the scratch in backward. oneDNN's
   scratchpad follows it. */
static size_t gradient_bytes(const dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    return attr->activation != DV_ACT_NONE ? output_bytes(s) : 0;
}

/* Creates the layer's products, with BF16 operands if that pays, and requests their scratch. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_dense_shape shape = {
        .rows = dv_shape_rows(s->in[0]),
        .in = s->in[0].c,
        .out = attr->units,
        .bias = attr->bias,
        .training = s->training,
        .wants_dx = s->wants_dx[0],
    };
    shape.operands = dv_cpu_operands(s, shape.rows * shape.in * shape.out);
    dv_cpu_dense *dense;
    DV_TRY(dv_calloc(1, sizeof *dense, &dense));
    dv_status status = dv_cpu_dense_create(dv_cpu_device_of(s->context), &shape, dense);
    if (status != DV_OK) {
        free(dense);
        return status;
    }
    s->self = dense;
    dv_planner_scratch(planner, gradient_bytes(s) + dv_cpu_dense_scratchpad(dense));
    return DV_OK;
}

DV_CPU_INLINE void apply(int kind, float *y, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = dv_activate(kind, y[i]);
}

DV_CPU_CLONES
static void activate_block(int kind, float *y, int64_t count)
{
    switch (kind) {
    case DV_ACT_RELU:
        apply(DV_ACT_RELU, y, count);
        break;
    case DV_ACT_SIGMOID:
        apply(DV_ACT_SIGMOID, y, count);
        break;
    default:
        apply(DV_ACT_TANH, y, count);
    }
}

static dv_status forward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_cpu_dense *dense = s->self;
    DV_TRY(dv_cpu_dense_forward(dv_cpu_device_of(s->context), dense, s->x[0], s->w[0],
                                s->w_operand[0], attr->bias ? s->w[1] : NULL, s->y, s->scratch));
    if (attr->activation == DV_ACT_NONE)
        return DV_OK;
    float *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        activate_block(attr->activation, y + i, dv_smaller(DV_CPU_BLOCK, count - i));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_cpu_dense *dense = s->self;
    bool activated = attr->activation != DV_ACT_NONE;
    char *scratchpad = s->scratch != NULL ? (char *)s->scratch + gradient_bytes(s) : NULL;
    const void *dz = activated ? s->scratch : s->dy;
    if (activated || attr->bias)
        dv_cpu_bias_gradient(attr->activation, s->dy, s->y, dv_shape_rows(s->in[0]), attr->units,
                             activated ? s->scratch : NULL, attr->bias ? s->dw[1] : NULL);
    dv_dense_gradients gradients = {.dy = dz,
                                    .x = s->x[0],
                                    .w = s->w[0],
                                    .w_operand = s->w_operand[0],
                                    .dw = s->dw[0],
                                    .dx = s->dx[0]};
    return dv_cpu_dense_backward(dv_cpu_device_of(s->context), dense, &gradients, scratchpad);
}

static void drop(dv_node_step *s)
{
    dv_cpu_dense_drop(s->self);
    free(s->self);
}

const dv_impl dv__linear_dense = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
