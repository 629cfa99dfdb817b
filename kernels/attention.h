/* Self-attention, each direction in one launch. Conventions: elementwise.h; formulas:
   engine/ops/attention/attention.h. */
#ifndef DV_KERNELS_ATTENTION_H
#define DV_KERNELS_ATTENTION_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The widest head, in channels; of wider ones the launchers return cudaErrorInvalidValue. */
enum { DV_ATTENTION_WIDTH = 128 };

typedef struct dv_attention_sizes {
    int64_t samples, steps, channels, heads; /* channels: of the output */
} dv_attention_sizes;

/*
 * x (samples, steps, 3 channels), y (samples, steps, channels); statistics
 * (samples, heads, 2, steps): of each query the largest logit and 1 / sum of exp(logit - largest).
 * NULL: not wanted.
 */
int dv_launch_attention(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x, void *y,
                        float *statistics, void *stream);

/* dx as x; means, scratch: (samples, heads, steps) */
int dv_launch_attention_backward(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x,
                                 const void *dy, const float *statistics, float *means, void *dx,
                                 void *stream);

#ifdef __cplusplus
}
#endif

#endif
