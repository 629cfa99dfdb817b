/*
 * Spatial attention (the spatial part of CBAM, Woo et al. 2018) as one operation:
 *
 *     map  = mean and maximum of x over the channels    (N, 2, H, W)
 *     gate = sigmoid(conv.weight * map)                 (N, H, W), conv.weight (1, 2, k, k) without
 *                                                       bias, with zeros around the map
 *     y    = x gate                                     (N, H, W, C)
 *
 * The gradient of a maximum goes to the first channel that has it.
 */
#ifndef DV_OPS_SPATIAL_ATTENTION_H
#define DV_OPS_SPATIAL_ATTENTION_H

#include "engine/core/op.h"

typedef struct dv_spatial_attention_attr {
    int64_t kernel; /* k, odd */
} dv_spatial_attention_attr;

#endif
