/* Launchers of convolutions of every kind as plain sums, which are slow, for cases without an
   algorithm in a library; and launchers that make a convolution a matrix product. Conventions:
   elementwise.h. */
#ifndef DV_KERNELS_CONVOLUTION_H
#define DV_KERNELS_CONVOLUTION_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x (images, height, width, channels), y (images, out_height, out_width, filters), w (filters,
   kernel height, kernel width, channels / groups). Pairs are height, width. */
typedef struct dv_convolution {
    int64_t images, height, width, channels;
    int64_t out_height, out_width, filters;
    int64_t groups;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
} dv_convolution;

int dv_launch_convolution(dv_dtype dtype, const dv_convolution *shape, const void *x, const void *w,
                          void *y, void *stream);

/* Computes dx from dy. */
int dv_launch_convolution_data(dv_dtype dtype, const dv_convolution *shape, const void *dy,
                               const void *w, void *dx, void *stream);

/* Computes dw, of `dtype` like w, from x and dy. The order of the sums is fixed. */
int dv_launch_convolution_weights(dv_dtype dtype, const dv_convolution *shape, const void *x,
                                  const void *dy, void *dw, void *stream);

/* dv_launch_convolution_weights with dw in float. */
int dv_launch_convolution_weights_to_float(dv_dtype dtype, const dv_convolution *shape,
                                           const void *x, const void *dy, float *dw, void *stream);

/* Computes columns (images out_height out_width, kernel height kernel width channels) from x. A row
   has the elements that an output position is summed over, with zeros for the padding. Both are of
   dtype. There must be one group. */
int dv_launch_im2col(dv_dtype dtype, const dv_convolution *shape, const void *x, void *columns,
                     void *stream);

/* The adjoint of dv_launch_im2col. Computes dx, of dtype, from the gradient of the columns. The
   order of the sums is fixed. */
int dv_launch_col2im(dv_dtype dtype, const dv_convolution *shape, const float *columns, void *dx,
                     void *stream);

#ifdef __cplusplus
}
#endif

#endif
