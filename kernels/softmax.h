/* Launchers of the loss; see engine/ops/softmax_cross_entropy/softmax_cross_entropy.h, and
   elementwise.h for the conventions. */
#ifndef DV_KERNELS_SOFTMAX_H
#define DV_KERNELS_SOFTMAX_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Computes losses (rows) from logits (rows, classes) of `dtype` and targets (rows, classes). */
int dv_launch_softmax_cross_entropy(dv_dtype dtype, double smoothing, const void *logits,
                                    const float *targets, float *losses, int64_t rows,
                                    int64_t classes, void *stream);

/* dy (rows) is float, dx has the shape and type of logits. */
int dv_launch_softmax_cross_entropy_backward(dv_dtype dtype, double smoothing, const void *logits,
                                             const float *targets, const float *dy, void *dx,
                                             int64_t rows, int64_t classes, void *stream);

#ifdef __cplusplus
}
#endif

#endif
