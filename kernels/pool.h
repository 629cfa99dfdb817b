/* Launchers of maxima and means over windows. Conventions: elementwise.h. */
#ifndef DV_KERNELS_POOL_H
#define DV_KERNELS_POOL_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From x (samples, in[0], in[1], channels) to y (samples, out[0], out[1], channels). Pairs are
   height, width. */
typedef struct dv_pool {
    int64_t samples, channels, in[2], out[2];
    int64_t kernel[2], stride[2], padding[2];
} dv_pool;

/* `place` has the shape of y and gets the position in[1] h + w of each first maximum. Padding is
   never the maximum, a NaN always is. */
int dv_launch_maxpool(dv_dtype dtype, const dv_pool *pool, const void *x, void *y, int32_t *place,
                      void *stream);
int dv_launch_maxpool_backward(dv_dtype dtype, const dv_pool *pool, const void *dy,
                               const int32_t *place, void *dx, void *stream);

/* Padding counts as zeros. */
int dv_launch_avgpool(dv_dtype dtype, const dv_pool *pool, const void *x, void *y, void *stream);
int dv_launch_avgpool_backward(dv_dtype dtype, const dv_pool *pool, const void *dy, void *dx,
                               void *stream);

#ifdef __cplusplus
}
#endif

#endif
