/* Launchers of the loss; see engine/ops/softmax_cross_entropy/softmax_cross_entropy.h. Conventions:
   elementwise.h. */
#ifndef DV_KERNELS_SOFTMAX_H
#define DV_KERNELS_SOFTMAX_H

#include "kernels/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* logits, targets (rows, classes) -> losses (rows); all of `dtype`, computed in float */
int dv_launch_softmax_cross_entropy(dv_dtype dtype, double smoothing, const void *logits,
                                    const void *targets, void *losses, int64_t rows,
                                    int64_t classes, void *stream);

/* dy (rows), dx as logits */
int dv_launch_softmax_cross_entropy_backward(dv_dtype dtype, double smoothing, const void *logits,
                                             const void *targets, const void *dy, void *dx,
                                             int64_t rows, int64_t classes, void *stream);

#ifdef __cplusplus
}
#endif

#endif
