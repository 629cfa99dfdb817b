/*
 * The CPU's implementations of the convolution. Each is a dv_impl whose dv_node_step.self begins
 * with a pointer to it. Times are milliseconds on one Zen 4 core at batch 32 for forward + data +
 * weights.
 *
 *     pointwise  for 1x1 kernels without padding: matrix products over rows of channels, with
 *                weights in PyTorch's order. 512->256 on 1x1 takes 0.25; oneDNN's convolution takes
 *                0.75 with its reorders.
 *     taps       for outputs of a few pixels, whose taps often lie in the padding: one matrix
 *                product over the batch per output pixel and kernel row, without the dead taps.
 *                256->256 3x3 takes 0.14 on 1x1 (oneDNN's convolution 1.4), and 2.1 on 2x2 (4.3).
 *     direct     oneDNN's convolution on blocked weights, with our own depthwise weight gradient
 *                (768 channels 5x5 on 2x4 take 0.07, with oneDNN's 3.9).
 *     packed     for inference: our own kernels on a packed weight, which also compute the
 *                following batch norm, sum and activation.
 */
#ifndef DV_OPS_CONV2D_CPU_CONV2D_H
#define DV_OPS_CONV2D_CPU_CONV2D_H

#include "engine/device/cpu_device.h"
#include "engine/ops/conv2d/conv2d.h"

extern const dv_impl dv__conv2d_pointwise;
extern const dv_impl dv__conv2d_taps;
extern const dv_impl dv__conv2d_direct;
extern const dv_impl dv__conv2d_packed;

bool dv__conv2d_is_pointwise(const dv_node_step *s);

/* Whether `taps` suits the shapes, and the weight has its layout or can get it. */
dv_status dv__conv2d_fits_taps(dv_planner *planner, const dv_node_step *s, bool *fits);

/* Whether `packed` suits the step, and the weight has its layout or can get it. */
dv_status dv__conv2d_fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits);

/* The weight gradient of a convolution with one filter per channel, as (KH,KW,C). */
void dv__depthwise_weight_gradient(const dv_conv2d_attr *attr, dv_shape in, dv_shape out,
                                   const float *x, const float *dy, float *dw);

#endif
