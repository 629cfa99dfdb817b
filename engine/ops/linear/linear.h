/* Fully connected layer. */
#ifndef DV_OPS_LINEAR_H
#define DV_OPS_LINEAR_H

#include "engine/core/op.h"

/* x (N,H,W,C) -> y (N,H,W,units): every position's channels by themselves.
   weight (units, C), bias (units). */
enum { DV_LINEAR_MOST_UNITS = 65536 };

typedef struct dv_linear_attr {
    int64_t units;
    bool bias;
    int activation; /* dv_activation_kind: none, relu, sigmoid or tanh, whose derivative follows
                       from the output alone */
} dv_linear_attr;

#endif
