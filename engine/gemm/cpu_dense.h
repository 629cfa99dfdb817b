/* The three matrix products of a fully connected layer on the CPU, which are those of a 1x1
   convolution too. The weight keeps PyTorch's order (out, in): oneDNN's matmul is as fast on it as
   on a blocked one. */
#ifndef DV_GEMM_CPU_DENSE_H
#define DV_GEMM_CPU_DENSE_H

#include "engine/device/cpu_device.h"

typedef struct dv_dense_shape {
    int64_t rows, in, out;
    bool bias;
    bool training; /* false: forward alone */
    bool wants_dx;
    dv_dtype operands; /* what x, w and dy are rounded to, DV_F32 or DV_BF16; all else is float */
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

/* y = x w^T [+ bias]; bias NULL where there is none. w_operand: w rounded to the shape's operands.
 */
dv_status dv_cpu_dense_forward(const dv_cpu_device *device, dv_cpu_dense *dense, const float *x,
                               const float *w, const void *w_operand, const float *bias, float *y,
                               void *scratchpad);

typedef struct dv_dense_gradients {
    const float *dy, *x, *w;
    const void *w_operand;
    float *dw;
    float *dx; /* NULL: not wanted. It may be x: that has been read by then */
} dv_dense_gradients;

/* dw = dy^T x, then dx = dy w. */
dv_status dv_cpu_dense_backward(const dv_cpu_device *device, dv_cpu_dense *dense,
                                const dv_dense_gradients *gradients, void *scratchpad);

/* Bytes of scratchpad that all three can do with: rounded operands, then oneDNN's. */
size_t dv_cpu_dense_scratchpad(const dv_cpu_dense *dense);

/*
 * For the gradient of a bias and an activation in one pass: dz = dy * activation'(y) and
 * db = the sum of dz over the rows. All (rows, columns) but db (columns). kind: dv_activation_kind;
 * for DV_ACT_NONE y and dz are not used. db NULL: not wanted.
 */
void dv_cpu_bias_gradient(int kind, const float *dy, const float *y, int64_t rows, int64_t columns,
                          float *dz, float *db);

#endif
