/*
 * What follows the sums of a product in the step that computes them. Per channel c
 *
 *     y = activation(scale[c] sum + shift[c] + residual)
 */
#ifndef DV_GEMM_CPU_EPILOGUE_H
#define DV_GEMM_CPU_EPILOGUE_H

#include <stdint.h>

typedef struct dv_cpu_epilogue {
    const float *scale;    /* (channels, filled up to vectors) or NULL: 1 */
    const float *shift;    /* the same, or NULL: 0 */
    const float *residual; /* like y, or NULL: 0 */
    int activation;        /* dv_activation_kind */
} dv_cpu_epilogue;

/* `columns` of y at each of `rows` offsets: y = activation(y). */
void dv_cpu_activate(int activation, float *y, const int64_t *offsets, int64_t rows,
                     int64_t columns);

#endif
