/* 2-D convolution; a 1-D convolution has height 1. */
#ifndef DV_OPS_CONV2D_H
#define DV_OPS_CONV2D_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) -> y (N,OH,OW,filters), PyTorch's cross-correlation.
 * weight (filters, C/groups, KH, KW), bias (filters).
 * OH = (H + 2 PH - dilation (KH - 1) - 1) / stride + 1, rounded down.
 * infer() replaces padding -1 ("same") and groups 0 (depthwise) by numbers. "Same" needs an even
 * dilation (kernel - 1), because the padding is equal on both sides.
 */
typedef struct dv_conv2d_attr {
    int64_t filters;
    int64_t kernel[2]; /* height, width */
    int64_t stride[2];
    int64_t padding[2]; /* zeros on both sides; -1 stands for dilation (kernel - 1) / 2, which is
                           "same" at stride 1 */
    int64_t dilation[2];
    int64_t groups; /* 0 stands for one group per input channel (depthwise) */
    bool bias;
} dv_conv2d_attr;

#endif
