/* Launchers of convolutions of every kind as plain sums, for what a library has no algorithm: they
   are slow. And of what makes a convolution a matrix product. See elementwise.h for what holds of
   all launchers. */
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

/* dx from dy */
int dv_launch_convolution_data(dv_dtype dtype, const dv_convolution *shape, const void *dy,
                               const void *w, void *dx, void *stream);

/* dw, of `dtype` as w, from x and dy; always summed in the same order */
int dv_launch_convolution_weights(dv_dtype dtype, const dv_convolution *shape, const void *x,
                                  const void *dy, void *dw, void *stream);

/* The same with `dw` float. */
int dv_launch_convolution_weights_to_float(dv_dtype dtype, const dv_convolution *shape,
                                           const void *x, const void *dy, float *dw, void *stream);

/* x -> columns (images out_height out_width, kernel height kernel width channels), both of dtype:
   what each output position is summed over, zeros where that lies in the padding. One group. */
int dv_launch_im2col(dv_dtype dtype, const dv_convolution *shape, const void *x, void *columns,
                     void *stream);

/* The adjoint: dx, of dtype, from the gradient of the columns; always summed in the same order. */
int dv_launch_col2im(dv_dtype dtype, const dv_convolution *shape, const float *columns, void *dx,
                     void *stream);

#ifdef __cplusplus
}
#endif

#endif
