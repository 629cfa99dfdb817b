/* Self-attention, each direction in one launch. See engine/ops/attention/attention.h for formulas,
   and elementwise.h for the conventions. */
#ifndef DV_KERNELS_ATTENTION_H
#define DV_KERNELS_ATTENTION_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most channels of a head. For wider heads the launchers return cudaErrorInvalidValue. */
enum { DV_ATTENTION_WIDTH = 128 };

typedef struct dv_attention_sizes {
    int64_t samples, steps, channels, heads; /* `channels` are those of the output */
} dv_attention_sizes;

/*
 * x (samples, steps, 3 channels), y (samples, steps, channels). statistics (samples, heads, 2,
 * steps) get the largest logit of each query and 1 / sum of exp(logit - largest); they may be NULL.
 */
int dv_launch_attention(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x, void *y,
                        float *statistics, void *stream);

/* dx has the shape of x. means (samples, heads, steps) are scratch. */
int dv_launch_attention_backward(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x,
                                 const void *dy, const float *statistics, float *means, void *dx,
                                 void *stream);

#ifdef __cplusplus
}
#endif

#endif
