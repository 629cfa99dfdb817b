/* Computes the products by oneDNN's matmul, or by a plain loop for inference on a row or two. Also
   has the gradient of a bias. */
#include "engine/gemm/cpu_dense.h"
#include "engine/core/plan.h"
#include "engine/device/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <string.h>

/* The descriptor of a matrix (rows, columns), or of its transpose in the same memory. */
static dv_status matrix(int64_t rows, int64_t columns, bool transposed, dnnl_memory_desc_t *out)
{
    if (!transposed)
        return dv_md_plain(2, (int64_t[]){rows, columns}, NULL, out);
    return dv_md_plain(2, (int64_t[]){columns, rows}, (int64_t[]){1, columns}, out);
}

static dv_status create(const dv_cpu_device *device, dv_dnnl_matmul *product, dv_dtype operands,
                        dv_cpu_primitive *out)
{
    if (operands == DV_BF16) {
        product->a = dv_md_of_type(product->a, dnnl_bf16);
        product->b = dv_md_of_type(product->b, dnnl_bf16);
    }
    return dv_cpu_matmul_create(device, product, out);
}

static dv_status forward(const dv_cpu_device *device, dv_cpu_dense *dense)
{
    const dv_dense_shape *shape = &dense->shape;
    dv_dnnl_matmul product = {.has_bias = shape->bias};
    DV_TRY(matrix(shape->rows, shape->in, false, &product.a));
    DV_TRY(matrix(shape->out, shape->in, true, &product.b));
    DV_TRY(matrix(shape->rows, shape->out, false, &product.c));
    if (shape->bias)
        DV_TRY(matrix(1, shape->out, false, &product.bias));
    return create(device, &product, shape->operands, &dense->forward);
}

static dv_status backward_weights(const dv_cpu_device *device, dv_cpu_dense *dense)
{
    const dv_dense_shape *shape = &dense->shape;
    dv_dnnl_matmul product = {0};
    DV_TRY(matrix(shape->rows, shape->out, true, &product.a));
    DV_TRY(matrix(shape->rows, shape->in, false, &product.b));
    DV_TRY(matrix(shape->out, shape->in, false, &product.c));
    return create(device, &product, shape->operands, &dense->weights);
}

static dv_status backward_data(const dv_cpu_device *device, dv_cpu_dense *dense)
{
    const dv_dense_shape *shape = &dense->shape;
    dv_dnnl_matmul product = {0};
    DV_TRY(matrix(shape->rows, shape->out, false, &product.a));
    DV_TRY(matrix(shape->out, shape->in, false, &product.b));
    DV_TRY(matrix(shape->rows, shape->in, false, &product.c));
    return create(device, &product, shape->operands, &dense->data);
}

/*
 * Inference on one or two rows is a loop over the weight. Memory limits it as much as oneDNN's
 * kernel, and no kernel must be generated. That takes 60 us each, most of the time of a program
 * that answers one clip.
 */
enum { DIRECT_ROWS = 2 };

static bool is_direct(const dv_dense_shape *shape)
{
    return !shape->training && shape->rows <= DIRECT_ROWS;
}

/* The addresses of the rounded x, the rounded dy and oneDNN's scratchpad. */
static uint16_t *place_of_x(void *scratchpad)
{
    return scratchpad;
}

static uint16_t *place_of_dy(const dv_dense_shape *shape, void *scratchpad)
{
    return (uint16_t *)((char *)scratchpad + dv_cpu_bf16_bytes(shape->rows * shape->in));
}

static size_t rounded_bytes(const dv_cpu_dense *dense)
{
    const dv_dense_shape *shape = &dense->shape;
    if (shape->operands == DV_F32)
        return 0;
    size_t dy = shape->training ? dv_cpu_bf16_bytes(shape->rows * shape->out) : 0;
    return dv_cpu_bf16_bytes(shape->rows * shape->in) + dy;
}

static void *behind(const dv_cpu_dense *dense, void *scratchpad)
{
    return scratchpad != NULL ? (char *)scratchpad + rounded_bytes(dense) : NULL;
}

DV_CPU_CLONES
static void multiply_row(const dv_dense_shape *shape, const float *restrict x,
                         const float *restrict w, const float *restrict bias, float *restrict y)
{
    for (int64_t o = 0; o < shape->out; o++) {
        const float *restrict weights = w + o * shape->in;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < shape->in; i++)
            sum += weights[i] * x[i];
        y[o] = bias != NULL ? sum + bias[o] : sum;
    }
}

dv_status dv_cpu_dense_forward(const dv_cpu_device *device, dv_cpu_dense *dense, const float *x,
                               const float *w, const void *w_operand, const float *bias, float *y,
                               void *scratchpad)
{
    const dv_dense_shape *shape = &dense->shape;
    if (shape->operands != DV_F32) {
        dv_cpu_round(x, place_of_x(scratchpad), shape->rows * shape->in);
        return dv_cpu_primitive_run(device, &dense->forward,
                                    (const void *[]){place_of_x(scratchpad), w_operand, y, bias},
                                    behind(dense, scratchpad));
    }
    if (!is_direct(shape))
        return dv_cpu_primitive_run(device, &dense->forward, (const void *[]){x, w, y, bias},
                                    scratchpad);
    for (int64_t row = 0; row < shape->rows; row++)
        multiply_row(shape, x + row * shape->in, w, bias, y + row * shape->out);
    return DV_OK;
}

dv_status dv_cpu_dense_backward(const dv_cpu_device *device, dv_cpu_dense *dense,
                                const dv_dense_gradients *gradients, void *scratchpad)
{
    const dv_dense_shape *shape = &dense->shape;
    const void *dy = gradients->dy, *x = gradients->x, *w = gradients->w;
    if (shape->operands != DV_F32) {
        uint16_t *rounded_x = place_of_x(scratchpad), *rounded_dy = place_of_dy(shape, scratchpad);
        dv_cpu_round(x, rounded_x, shape->rows * shape->in);
        dv_cpu_round(dy, rounded_dy, shape->rows * shape->out);
        x = rounded_x;
        dy = rounded_dy;
        w = gradients->w_operand;
    }
    void *rest = behind(dense, scratchpad);
    DV_TRY(dv_cpu_primitive_run(device, &dense->weights, (const void *[]){dy, x, gradients->dw},
                                rest));
    if (gradients->dx == NULL)
        return DV_OK;
    return dv_cpu_primitive_run(device, &dense->data, (const void *[]){dy, w, gradients->dx}, rest);
}

dv_status dv_cpu_dense_create(const dv_cpu_device *device, const dv_dense_shape *shape,
                              dv_cpu_dense *out)
{
    memset(out, 0, sizeof *out);
    out->shape = *shape;
    if (is_direct(shape))
        out->shape.operands = DV_F32;
    dv_status status = is_direct(shape) ? DV_OK : forward(device, out);
    if (status == DV_OK && shape->training)
        status = backward_weights(device, out);
    if (status == DV_OK && shape->training && shape->wants_dx)
        status = backward_data(device, out);
    if (status != DV_OK)
        dv_cpu_dense_drop(out);
    return status;
}

void dv_cpu_dense_drop(dv_cpu_dense *dense)
{
    dv_cpu_primitive_drop(&dense->forward);
    dv_cpu_primitive_drop(&dense->weights);
    dv_cpu_primitive_drop(&dense->data);
}

size_t dv_cpu_dense_scratchpad(const dv_cpu_dense *dense)
{
    size_t most = dense->forward.scratchpad;
    most = dense->weights.scratchpad > most ? dense->weights.scratchpad : most;
    most = dense->data.scratchpad > most ? dense->data.scratchpad : most;
    return rounded_bytes(dense) + most;
}

/* ---- Bias ---- */

/* Columns of a thread's unit of work, in whole cache lines, and rows of a chunk, which keeps float
   sums short. */
enum { COLUMNS = 64, CHUNK = 32 };

DV_CPU_INLINE void sum_rows(int kind, const float *dy, const float *y, int64_t rows, int64_t stride,
                            int64_t width, float *dz, float *restrict sum)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t offset = row * stride;
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            float value = dy[offset + c];
            if (kind != DV_ACT_NONE) {
                value *= dv_activation_slope(kind, 0.0F, y[offset + c]);
                dz[offset + c] = value;
            }
            sum[c] += value;
        }
    }
}

/* Sums `width` columns over all rows, chunk by chunk, and writes dz if there is an activation. The
   switch makes the activation a constant in the inner loop. */
DV_CPU_CLONES
static void sum_columns(int kind, const float *dy, const float *y, int64_t rows, int64_t stride,
                        int64_t width, float *dz, float *db)
{
    float total[COLUMNS] = {0};
    for (int64_t start = 0; start < rows; start += CHUNK) {
        float sum[COLUMNS] = {0};
        int64_t offset = start * stride, count = dv_smaller(CHUNK, rows - start);
#define SUM(constant)                                                                              \
    sum_rows(constant, dy + offset, y + offset, count, stride, width, dz + offset, sum)
        switch (kind) {
        case DV_ACT_RELU:
            SUM(DV_ACT_RELU);
            break;
        case DV_ACT_SIGMOID:
            SUM(DV_ACT_SIGMOID);
            break;
        case DV_ACT_TANH:
            SUM(DV_ACT_TANH);
            break;
        default:
            sum_rows(DV_ACT_NONE, dy + offset, NULL, count, stride, width, NULL, sum);
        }
#undef SUM
        for (int64_t c = 0; c < width; c++)
            total[c] += sum[c];
    }
    if (db != NULL)
        memcpy(db, total, (size_t)width * sizeof *db);
}

void dv_cpu_bias_gradient(int kind, const float *dy, const float *y, int64_t rows, int64_t columns,
                          float *dz, float *db)
{
#pragma omp parallel for schedule(static) if (rows * columns > DV_CPU_GRAIN)
    for (int64_t first = 0; first < columns; first += COLUMNS) {
        int64_t width = dv_smaller(COLUMNS, columns - first);
        bool plain = kind == DV_ACT_NONE;
        sum_columns(kind, dy + first, plain ? NULL : y + first, rows, columns, width,
                    plain ? NULL : dz + first, db != NULL ? db + first : NULL);
    }
}
