/* 1x1 convolutions: matrix products over the rows of channels that the stride selects. */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/gemm/cpu_dense.h"
#include "engine/ops/cpu.h"

#include <stdlib.h>
#include <string.h>

typedef struct pointwise {
    const dv_impl *way;
    dv_cpu_dense dense;
    size_t gathered; /* bytes of scratch for the selected rows; 0 if all rows are used */
} pointwise;

bool dv__conv2d_is_pointwise(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    return attr->kernel[0] == 1 && attr->kernel[1] == 1 && attr->padding[0] == 0 &&
           attr->padding[1] == 0 && attr->groups == 1;
}

/* Scratch has the gathered rows of x or of its gradient, then oneDNN's scratchpad. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_dense_shape shape = {
        .rows = dv_shape_rows(s->node->shape),
        .in = s->in[0].c,
        .out = attr->filters,
        .bias = attr->bias,
        .training = s->training,
        .wants_dx = s->wants_dx[0],
    };
    shape.operands = dv_cpu_operands(s, shape.rows * shape.in * shape.out);
    pointwise *self;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->way = &dv__conv2d_pointwise;
    dv_status status = dv_cpu_dense_create(dv_cpu_device_of(s->context), &shape, &self->dense);
    if (status != DV_OK) {
        free(self);
        return status;
    }
    if (attr->stride[0] > 1 || attr->stride[1] > 1)
        self->gathered = dv_cpu_aligned((size_t)(shape.rows * shape.in) * sizeof(float));
    s->self = self;
    dv_planner_scratch(planner, self->gathered + dv_cpu_dense_scratchpad(&self->dense));
    return DV_OK;
}

/* The pixel of x for row `row` of y. */
static int64_t source(const dv_node_step *s, int64_t row)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape y = s->node->shape, x = s->in[0];
    int64_t ox = row % y.w, oy = row / y.w % y.h, n = row / y.w / y.h;
    return (n * x.h + oy * attr->stride[0]) * x.w + ox * attr->stride[1];
}

/* Gathers the selected rows of x. */
static const void *gather(const dv_node_step *s)
{
    const pointwise *self = s->self;
    if (self->gathered == 0)
        return s->x[0];
    const float *x = s->x[0];
    float *rows = s->scratch;
    int64_t channels = s->in[0].c, count = dv_shape_rows(s->node->shape);
#pragma omp parallel for schedule(static) if (count * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < count; row++)
        memcpy(rows + row * channels, x + source(s, row) * channels,
               (size_t)channels * sizeof *rows);
    return rows;
}

/* Scatters the gradients of the selected rows into dx. The other rows are zero. */
static void scatter(dv_node_step *s)
{
    const float *rows = s->scratch;
    float *dx = s->dx[0];
    int64_t channels = s->in[0].c, samples = s->in[0].n;
    int64_t sample_rows = s->node->shape.h * s->node->shape.w;
    int64_t sample_size = s->in[0].h * s->in[0].w * channels;
#pragma omp parallel for schedule(static) if (samples * sample_size > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++) {
        memset(dx + n * sample_size, 0, (size_t)sample_size * sizeof *dx);
        for (int64_t row = n * sample_rows; row < (n + 1) * sample_rows; row++)
            memcpy(dx + source(s, row) * channels, rows + row * channels,
                   (size_t)channels * sizeof *dx);
    }
}

static char *scratchpad(const dv_node_step *s)
{
    const pointwise *self = s->self;
    return s->scratch != NULL ? (char *)s->scratch + self->gathered : NULL;
}

static dv_status forward(dv_node_step *s)
{
    pointwise *self = s->self;
    const dv_conv2d_attr *attr = s->node->attr;
    return dv_cpu_dense_forward(dv_cpu_device_of(s->context), &self->dense, gather(s), s->w[0],
                                s->w_operand[0], attr->bias ? s->w[1] : NULL, s->y, scratchpad(s));
}

static dv_status backward(dv_node_step *s)
{
    pointwise *self = s->self;
    const dv_conv2d_attr *attr = s->node->attr;
    if (attr->bias)
        dv_cpu_bias_gradient(0, s->dy, NULL, dv_shape_rows(s->node->shape), attr->filters, NULL,
                             s->dw[1]);
    bool picks = s->dx[0] != NULL && self->gathered > 0;
    dv_dense_gradients gradients = {.dy = s->dy,
                                    .x = gather(s),
                                    .w = s->w[0],
                                    .w_operand = s->w_operand[0],
                                    .dw = s->dw[0],
                                    .dx = picks ? s->scratch : s->dx[0]};
    DV_TRY(dv_cpu_dense_backward(dv_cpu_device_of(s->context), &self->dense, &gradients,
                                 scratchpad(s)));
    if (picks)
        scatter(s);
    return DV_OK;
}

static void drop(dv_node_step *s)
{
    pointwise *self = s->self;
    dv_cpu_dense_drop(&self->dense);
    free(self);
}

const dv_impl dv__conv2d_pointwise = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
