/* Convolution, 2-D; 1-D is height 1. */
#ifndef DV_OPS_CONV2D_H
#define DV_OPS_CONV2D_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) -> y (N,OH,OW,filters), PyTorch's cross-correlation.
 * weight (filters, C/groups, KH, KW), bias (filters).
 * OH = (H + 2 PH - dilation (KH - 1) - 1) / stride + 1, rounded down.
 * In a node, padding and groups are what -1 and 0 stand for. -1 is refused where
 * dilation (kernel - 1) is odd: no padding on both sides would be "same".
 */
typedef struct dv_conv2d_attr {
    int64_t filters;
    int64_t kernel[2]; /* height, width */
    int64_t stride[2];
    int64_t padding[2]; /* on both sides; -1: (dilation (kernel - 1)) / 2, "same" at stride 1 */
    int64_t dilation[2];
    int64_t groups; /* 0: depthwise, one group per input channel */
    bool bias;
} dv_conv2d_attr;

#endif
