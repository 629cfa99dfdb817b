/*
 * The CPU's ways to compute a convolution. Each is a dv_impl whose dv_node_step.self begins with a
 * pointer to it. Milliseconds are of one Zen 4 core at batch 32, forward + data + weights.
 *
 *     pointwise  1x1 without padding: matrix products over rows of channels, weights in PyTorch's
 *                order. 512->256 on 1x1: 0.25, oneDNN's convolution 0.75 with its reorders.
 *     taps       outputs of a few pixels, where many taps lie in the padding: one matrix product
 *                over the batch for each output pixel and kernel row, dead taps left out.
 *                256->256 3x3 on 1x1: 0.14, oneDNN's convolution 1.4; on 2x2 2.1 and 4.3.
 *     direct     oneDNN's convolution on blocked weights; the depthwise weight gradient is ours
 *                (768 channels 5x5 on 2x4: 0.07 for oneDNN's 3.9).
 *     packed     without backward: our own kernels on a packed weight, and with them the batch
 *                norm, sum and activation that follow.
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

/* Whether the taps way fits the shapes and the weight has (or can be given) its layout. */
dv_status dv__conv2d_fits_taps(dv_planner *planner, const dv_node_step *s, bool *fits);

/* Whether the packed way fits the step and the weight has (or can be given) its layout. */
dv_status dv__conv2d_fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits);

/* The weight gradient of a convolution with one filter per channel, as (KH,KW,C). */
void dv__depthwise_weight_gradient(const dv_conv2d_attr *attr, dv_shape in, dv_shape out,
                                   const float *x, const float *dy, float *dw);

#endif
