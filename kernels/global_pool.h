/* Launchers of maxima and means over all positions. Conventions: elementwise.h. */
#ifndef DV_KERNELS_GLOBAL_POOL_H
#define DV_KERNELS_GLOBAL_POOL_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The mean: from x (samples, positions, channels) to y (samples, channels). */
int dv_launch_global_avgpool(dv_dtype dtype, const void *x, void *y, int64_t samples,
                             int64_t positions, int64_t channels, void *stream);
int dv_launch_global_avgpool_backward(dv_dtype dtype, const void *dy, void *dx, int64_t samples,
                                      int64_t positions, int64_t channels, void *stream);

/* The maximum, with the same shapes. `place` has the shape of y and gets the position of the first
   maximum. A NaN is always the maximum. */
int dv_launch_global_maxpool(dv_dtype dtype, const void *x, void *y, int32_t *place,
                             int64_t samples, int64_t positions, int64_t channels, void *stream);
int dv_launch_global_maxpool_backward(dv_dtype dtype, const void *dy, const int32_t *place,
                                      void *dx, int64_t samples, int64_t positions,
                                      int64_t channels, void *stream);

#ifdef __cplusplus
}
#endif

#endif
