/* Fully connected layer. */
#ifndef DV_OPS_LINEAR_H
#define DV_OPS_LINEAR_H

#include "engine/core/op.h"

/* x (N,H,W,C) -> y (N,H,W,units): every position's channels by themselves.
   weight (units, C), bias (units). */
enum { DV_LINEAR_MOST_UNITS = 65536 };

/*
 * In inference x may be DV_I8, and then weight is read so too, with a scale for each unit, and y is
 * float: y = activation(scale of x * scale of the unit * sum + bias), the sum of products of
 * integers, which is exact in 32 bits up to so many channels.
 */
enum { DV_LINEAR_MOST_INT8 = INT32_MAX / (127 * 127) };

typedef struct dv_linear_attr {
    int64_t units;
    bool bias;
    int activation; /* dv_activation_kind: none, relu, sigmoid or tanh, whose derivative follows
                       from the output alone */
} dv_linear_attr;

/* Whether the step is one of integers, and no longer than they allow. */
bool dv__linear_is_int8(const dv_node_step *step);

#endif
