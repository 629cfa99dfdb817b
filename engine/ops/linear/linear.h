/* Fully connected layer. */
#ifndef DV_OPS_LINEAR_H
#define DV_OPS_LINEAR_H

#include "engine/core/op.h"

/* x (N,H,W,C) -> y (N,H,W,units), for each position by itself. weight (units, C), bias (units). */
enum { DV_LINEAR_MOST_UNITS = 65536 };

/*
 * In inference x may be DV_I8. The weight is then DV_I8 too, with a scale for each unit, and y is
 * float: y = activation(scale of x * scale of the unit * sum + bias). The sum of integer products
 * is exact in 32 bits up to this number of channels.
 */
enum { DV_LINEAR_MOST_INT8 = INT32_MAX / (127 * 127) };

typedef struct dv_linear_attr {
    int64_t units;
    bool bias;
    int activation; /* dv_activation_kind: none, relu, sigmoid or tanh, whose derivatives are
                       functions of the output alone */
} dv_linear_attr;

/* Whether x and weight are DV_I8, with at most DV_LINEAR_MOST_INT8 channels. */
bool dv__linear_is_int8(const dv_node_step *step);

#endif
