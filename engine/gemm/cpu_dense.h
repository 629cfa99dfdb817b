/* The three matrix products of a fully connected layer on the CPU. A 1x1 convolution has the same
   ones. The weight keeps PyTorch's order (out, in), because oneDNN's matmul is as fast with it as
   with a blocked layout. */
#ifndef DV_GEMM_CPU_DENSE_H
#define DV_GEMM_CPU_DENSE_H

#include "engine/device/cpu_device.h"

typedef struct dv_dense_shape {
    int64_t rows, in, out;
    bool bias;
    bool training; /* false makes the forward product only */
    bool wants_dx;
    dv_dtype operands; /* type of x, w and dy in products, DV_F32 or DV_BF16; all else is float */
} dv_dense_shape;

typedef struct dv_cpu_dense {
    dv_dense_shape shape;
    dv_cpu_primitive forward; /* x (rows, in), w (out, in), y (rows, out) [, bias (out)] */
    dv_cpu_primitive weights; /* dy (rows, out), x (rows, in), dw (out, in) */
    dv_cpu_primitive data;    /* dy (rows, out), w (out, in), dx (rows, in) */
} dv_cpu_dense;

/* On failure there is nothing to drop. */
dv_status dv_cpu_dense_create(const dv_cpu_device *device, const dv_dense_shape *shape,
                              dv_cpu_dense *out);
void dv_cpu_dense_drop(dv_cpu_dense *dense);

/* y = x w^T [+ bias]. bias may be NULL. w_operand is w rounded to the shape's operands. */
dv_status dv_cpu_dense_forward(const dv_cpu_device *device, dv_cpu_dense *dense, const float *x,
                               const float *w, const void *w_operand, const float *bias, float *y,
                               void *scratchpad);

typedef struct dv_dense_gradients {
    const float *dy, *x, *w;
    const void *w_operand;
    float *dw;
    float *dx; /* NULL if not wanted; may be x, which has been read before */
} dv_dense_gradients;

/* dw = dy^T x, then dx = dy w. */
dv_status dv_cpu_dense_backward(const dv_cpu_device *device, dv_cpu_dense *dense,
                                const dv_dense_gradients *gradients, void *scratchpad);

/* Bytes of a scratchpad that suffices for each product: rounded operands, then oneDNN's. */
size_t dv_cpu_dense_scratchpad(const dv_cpu_dense *dense);

/*
 * The gradients of an activation and a bias in one pass: dz = dy * activation'(y), and db (columns)
 * is the sum of dz over the rows. dy, y and dz are (rows, columns). `kind` is a dv_activation_kind;
 * DV_ACT_NONE uses neither y nor dz. db is NULL if not wanted.
 */
void dv_cpu_bias_gradient(int kind, const float *dy, const float *y, int64_t rows, int64_t columns,
                          float *dz, float *db);

#endif
