/* Activation functions, element by element. kernels/formulas/scalar_math.h has the formulas. */
#ifndef DV_OPS_ACTIVATION_H
#define DV_OPS_ACTIVATION_H

#include "engine/core/op.h"
#include "kernels/formulas/scalar_math.h" /* dv_activation_kind */

/* "none", "relu", "sigmoid", "tanh", "silu", "gelu", "hardswish", NULL. */
extern const char *const dv_activation_names[];

typedef struct dv_activation_attr {
    int kind; /* dv_activation_kind */
} dv_activation_attr;

#endif
