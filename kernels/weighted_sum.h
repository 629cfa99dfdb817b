/* The weighted sum y = sum_k share_k x_k with share = softmax(weight), each direction in one
   launch. Conventions: elementwise.h. */
#ifndef DV_KERNELS_WEIGHTED_SUM_H
#define DV_KERNELS_WEIGHTED_SUM_H

#include "kernels/formulas/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DV_WEIGHTED_SUM_MAX = 8 };

typedef struct dv_weighted_sum {
    int parts;
    int64_t count;
    const float *weight; /* (parts) */
    unsigned *ticket;    /* for dv_last_block (last_block.cuh); forward writes it */
    const void *from[DV_WEIGHTED_SUM_MAX]; /* (count) each */
    void *to[DV_WEIGHTED_SUM_MAX];         /* their gradients, for backward; NULL if not wanted */
} dv_weighted_sum;

/* Computes y (count). */
int dv_launch_weighted_sum(dv_dtype dtype, const dv_weighted_sum *call, void *y, void *stream);

/* Floats of scratch that backward needs. */
size_t dv_weighted_sum_scratch(const dv_weighted_sum *call);

/* Computes dweight (parts) and the gradients of the inputs. */
int dv_launch_weighted_sum_backward(dv_dtype dtype, const dv_weighted_sum *call, const void *dy,
                                    float *scratch, float *dweight, void *stream);

#ifdef __cplusplus
}
#endif

#endif
