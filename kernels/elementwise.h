/*
 * Launchers of kernels on single elements. These conventions hold for all headers of this folder:
 * pointers are device memory, activations have elements of `dtype`, `stream` is a cudaStream_t, and
 * the result is a cudaError_t, 0 after a good launch. A launcher allocates nothing and waits for
 * nothing. A count may be 0.
 */
#ifndef DV_KERNELS_ELEMENTWISE_H
#define DV_KERNELS_ELEMENTWISE_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int dv_launch_fill(float *out, double value, int64_t count, void *stream);

/* into[i] += from[i] */
int dv_launch_accumulate(dv_dtype dtype, void *into, const void *from, int64_t count, void *stream);

/* y[i] = a[i] + b[i] */
int dv_launch_add(dv_dtype dtype, const void *a, const void *b, void *y, int64_t count,
                  void *stream);

/* Copies dy to da and db. Either may be NULL. */
int dv_launch_add_backward(dv_dtype dtype, const void *dy, void *da, void *db, int64_t count,
                           void *stream);

/* y[i] = f(x[i]); `kind` is a dv_activation_kind. */
int dv_launch_activation(dv_dtype dtype, int kind, const void *x, void *y, int64_t count,
                         void *stream);

/* dx[i] = dy[i] f'(x[i]); y is the output of forward. */
int dv_launch_activation_backward(dv_dtype dtype, int kind, const void *x, const void *y,
                                  const void *dy, void *dx, int64_t count, void *stream);

#ifdef __cplusplus
}
#endif

#endif
