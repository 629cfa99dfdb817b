/*
 * An INT8 linear layer on the CPU. oneDNN or a loop computes sums of 32 bits in scratch, and y is
 * computed from them. Both are exact. oneDNN is used only if the processor has VNNI, because
 * otherwise its sums of 16 bits may saturate.
 */
#include "engine/ops/linear/cpu_int8.h"
#include "engine/device/cpu_device.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/cpu.h"
#include "engine/ops/linear/linear.h"

#include <stdlib.h>

/* For one or two rows, generating oneDNN's kernel takes longer than the loop (gemm/cpu_dense.c). */
enum { LOOP_ROWS = 2 };

/* Outputs that a thread computes at a time. */
enum { UNITS = 16 };

static bool has_vnni(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_vnni) ==
           dnnl_cpu_isa_avx512_core_vnni;
}

static size_t sum_bytes(const dv_node_step *s)
{
    return dv_cpu_aligned((size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
}

/* ---- Planning ---- */

static dv_status create(const dv_node_step *s, dv_cpu_primitive *out)
{
    int64_t rows = dv_shape_rows(s->in[0]), in = s->in[0].c, units = s->node->shape.c;
    dv_dnnl_matmul product = {.has_bias = false};
    DV_TRY(dv_md_plain(2, (int64_t[]){rows, in}, NULL, &product.a));
    DV_TRY(dv_md_plain(2, (int64_t[]){in, units}, (int64_t[]){1, in}, &product.b));
    DV_TRY(dv_md_plain(2, (int64_t[]){rows, units}, NULL, &product.c));
    product.a = dv_md_of_type(product.a, dnnl_s8);
    product.b = dv_md_of_type(product.b, dnnl_s8);
    product.c = dv_md_of_type(product.c, dnnl_s32);
    return dv_cpu_matmul_create(dv_cpu_device_of(s->context), &product, out);
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_cpu_primitive *product;
    DV_TRY(dv_calloc(1, sizeof *product, &product));
    dv_status status = DV_OK;
    if (has_vnni() && dv_shape_rows(s->in[0]) > LOOP_ROWS)
        status = create(s, product);
    if (status != DV_OK) {
        free(product);
        return status;
    }
    s->self = product;
    dv_planner_scratch(planner, sum_bytes(s) + product->scratchpad);
    return DV_OK;
}

/* ---- Running ---- */

/* x (rows, in), w (units, in) -> the first `units` of each row of sums (rows, stride). */
DV_CPU_CLONES
static void multiply_units(const int8_t *x, const int8_t *w, int64_t rows, int64_t in,
                           int64_t units, int64_t stride, int32_t *sums)
{
    for (int64_t row = 0; row < rows; row++) {
        const int8_t *restrict values = x + row * in;
        for (int64_t o = 0; o < units; o++) {
            const int8_t *restrict weights = w + o * in;
            int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < in; i++)
                sum += (int32_t)values[i] * (int32_t)weights[i];
            sums[row * stride + o] = sum;
        }
    }
}

static void multiply(const dv_node_step *s, int32_t *sums)
{
    const int8_t *x = s->x[0], *w = s->w_operand[0];
    int64_t rows = dv_shape_rows(s->in[0]), in = s->in[0].c, units = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * in * units > DV_CPU_GRAIN)
    for (int64_t o = 0; o < units; o += UNITS)
        multiply_units(x, w + o * in, rows, in, dv_smaller(UNITS, units - o), units, sums + o);
}

/* The data for computing a row of y from its sums. */
typedef struct epilogue {
    int activation;
    float scale;        /* scale of x */
    const float *units; /* scales of the units */
    const float *bias;  /* may be NULL */
    int64_t count;
} epilogue;

DV_CPU_INLINE void finish_row(const epilogue *by, int activation, const int32_t *restrict sums,
                              float *restrict y)
{
#pragma omp simd
    for (int64_t o = 0; o < by->count; o++) {
        float bias = by->bias != NULL ? by->bias[o] : 0.0F;
        y[o] = dv_activate(activation, (float)sums[o] * (by->scale * by->units[o]) + bias);
    }
}

/* The switch makes the activation a constant in the loop. */
DV_CPU_CLONES
static void finish(const epilogue *by, const int32_t *sums, float *y)
{
    switch (by->activation) {
    case DV_ACT_NONE:
        finish_row(by, DV_ACT_NONE, sums, y);
        break;
    case DV_ACT_RELU:
        finish_row(by, DV_ACT_RELU, sums, y);
        break;
    case DV_ACT_SIGMOID:
        finish_row(by, DV_ACT_SIGMOID, sums, y);
        break;
    default:
        finish_row(by, DV_ACT_TANH, sums, y);
    }
}

/* Computes the sums of all rows first, because oneDNN does, and then y row by row. */
static dv_status forward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_cpu_primitive *product = s->self;
    int32_t *sums = s->scratch;
    float *y = s->y;
    if (product->primitive != NULL)
        DV_TRY(dv_cpu_primitive_run(dv_cpu_device_of(s->context), product,
                                    (const void *[]){s->x[0], s->w_operand[0], sums},
                                    (char *)s->scratch + sum_bytes(s)));
    else
        multiply(s, sums);
    epilogue by = {.activation = attr->activation,
                   .scale = s->x_type[0].scale,
                   .units = s->w_scales[0],
                   .bias = attr->bias ? s->w[1] : NULL,
                   .count = attr->units};
    int64_t rows = dv_shape_rows(s->in[0]);
#pragma omp parallel for schedule(static) if (rows * attr->units > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row++)
        finish(&by, sums + row * attr->units, y + row * attr->units);
    return DV_OK;
}

static void drop(dv_node_step *s)
{
    dv_cpu_primitive_drop(s->self);
    free(s->self);
}

const dv_impl dv__linear_int8 = {.plan = plan, .forward = forward, .drop = drop};
