/*
 * What follows the sums of a product in the step that computes them: the bias, and the nodes that
 * the step has absorbed. Per channel c
 *
 *     y = activation(scale[c] sum + shift[c] + residual)
 *
 * where scale and shift are the bias and a batch norm with its running statistics. They are made
 * anew in each forward pass, so what is written to the parameters holds at once.
 */
#ifndef DV_GEMM_CPU_EPILOGUE_H
#define DV_GEMM_CPU_EPILOGUE_H

#include "engine/core/plan.h"

typedef struct dv_cpu_epilogue {
    const float *scale;    /* (channels, filled up to vectors) or NULL: 1 */
    const float *shift;    /* the same, or NULL: 0 */
    const float *residual; /* like y, or NULL: 0 */
    int activation;        /* dv_activation_kind */
} dv_cpu_epilogue;

/* Whether `next` can come behind what the step has absorbed already: batch norm, sum, activation,
   in this order, each of them or not. activation: the step's own, before all of them; scales:
   false where the step has no place for scale and shift. */
bool dv__cpu_epilogue_takes(const dv_step *step, int activation, bool scales, const dv_node *next,
                            int input);

/* Bytes of scratch for scale and shift of `channels`. */
size_t dv__cpu_epilogue_bytes(int64_t channels);

/* bias (channels) or NULL. */
dv_cpu_epilogue dv__cpu_epilogue_make(const dv_step *step, int activation, const float *bias,
                                      int64_t channels, void *scratch);

/* Where there is no batch norm: the residual and the activation. */
dv_cpu_epilogue dv__cpu_epilogue_follow(const dv_step *step, int activation);

/* `columns` of y at each of `rows` offsets: y = activation(y). */
void dv__cpu_activate(int activation, float *y, const int64_t *offsets, int64_t rows,
                      int64_t columns);

#endif
