/*
 * The epilogue of a product, applied to its sums in the same step. For channel c
 *
 *     y = activation(scale[c] sum + shift[c] + residual)
 */
#ifndef DV_GEMM_CPU_EPILOGUE_H
#define DV_GEMM_CPU_EPILOGUE_H

#include <stdint.h>

typedef struct dv_cpu_epilogue {
    const float *scale;    /* (channels, padded to whole vectors); NULL stands for 1 */
    const float *shift;    /* the same; NULL stands for 0 */
    const float *residual; /* has the size of y; NULL stands for 0 */
    int activation;        /* dv_activation_kind */
} dv_cpu_epilogue;

/* y = activation(y) for `columns` elements at each of `rows` offsets. */
void dv_cpu_activate(int activation, float *y, const int64_t *offsets, int64_t rows,
                     int64_t columns);

#endif
