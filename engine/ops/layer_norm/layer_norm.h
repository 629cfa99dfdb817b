/* Layer normalisation (Ba, Kiros and Hinton 2016). */
#ifndef DV_OPS_LAYER_NORM_H
#define DV_OPS_LAYER_NORM_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) -> y = weight (x - mean) / sqrt(var + epsilon) + bias, with the mean and biased
 * variance over the channels of each position. weight and bias (C) have no weight decay.
 */
typedef struct dv_layer_norm_attr {
    double epsilon;
} dv_layer_norm_attr;

#endif
