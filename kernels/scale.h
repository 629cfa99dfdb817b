/* Launchers of multiplications by gates. Conventions: elementwise.h. */
#ifndef DV_KERNELS_SCALE_H
#define DV_KERNELS_SCALE_H

#include "kernels/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x, y (samples, positions, channels), gate (samples, channels) */
int dv_launch_channel_scale(dv_dtype dtype, const void *x, const void *gate, void *y,
                            int64_t samples, int64_t positions, int64_t channels, void *stream);

/* dx as x, dgate as gate; a NULL is left out */
int dv_launch_channel_scale_backward(dv_dtype dtype, const void *x, const void *gate,
                                     const void *dy, void *dx, void *dgate, int64_t samples,
                                     int64_t positions, int64_t channels, void *stream);

/* x, y (rows, channels), gate (rows) */
int dv_launch_spatial_scale(dv_dtype dtype, const void *x, const void *gate, void *y, int64_t rows,
                            int64_t channels, void *stream);

/* dx as x, dgate as gate; a NULL is left out */
int dv_launch_spatial_scale_backward(dv_dtype dtype, const void *x, const void *gate,
                                     const void *dy, void *dx, void *dgate, int64_t rows,
                                     int64_t channels, void *stream);

#ifdef __cplusplus
}
#endif

#endif
