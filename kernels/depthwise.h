/* Launchers of depthwise convolutions, in which each channel has a filter of its own. Conventions:
   elementwise.h. */
#ifndef DV_KERNELS_DEPTHWISE_H
#define DV_KERNELS_DEPTHWISE_H

#include "kernels/formulas/dtype.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x (images, height, width, channels), y (images, out_height, out_width, channels), w (channels,
   kernel, kernel), in PyTorch's order. Another order of w would gain nothing: the weights of
   neighbouring channels are one piece of memory, which a block reads at once and transposes in
   shared memory. */
typedef struct dv_depthwise {
    int64_t images, height, width, channels;
    int64_t out_height, out_width;
    int64_t kernel;                /* height and width, 3 or 5 */
    int64_t stride[2], padding[2]; /* height, width; strides are 1 or 2 */
} dv_depthwise;

/* Whether there are kernels for the shape. If not, the launchers return cudaErrorInvalidValue. */
bool dv_depthwise_supported(const dv_depthwise *shape);

/* bias (channels) is float and may be NULL. */
int dv_launch_depthwise(dv_dtype dtype, const dv_depthwise *shape, const void *x, const void *w,
                        const float *bias, void *y, void *stream);

/* Computes dx from dy. */
int dv_launch_depthwise_data(dv_dtype dtype, const dv_depthwise *shape, const void *dy,
                             const void *w, void *dx, void *stream);

/* Computes dw (channels, kernel, kernel) in float from x and dy. The order of the sums is fixed.
   `scratch` has dv_depthwise_scratch(shape) bytes. */
int dv_launch_depthwise_weights(dv_dtype dtype, const dv_depthwise *shape, const void *x,
                                const void *dy, float *dw, void *scratch, void *stream);

int64_t dv_depthwise_scratch(const dv_depthwise *shape);

#ifdef __cplusplus
}
#endif

#endif
