/* Activation functions, element by element. Formulas: kernels/formulas/scalar_math.h. */
#ifndef DV_OPS_ACTIVATION_H
#define DV_OPS_ACTIVATION_H

#include "engine/core/op.h"
#include "kernels/formulas/scalar_math.h" /* dv_activation_kind */

/* "none", "relu", "sigmoid", "tanh", "silu", "gelu", "hardswish", NULL. */
extern const char *const dv_activation_names[];

/* True where the derivative is a function of the output. */
static inline bool dv_activation_from_output(int kind)
{
    return kind <= DV_ACT_TANH;
}

typedef struct dv_activation_attr {
    int kind; /* dv_activation_kind */
} dv_activation_attr;

/* Statement CALL(kind) with the kind as a constant, so that a loop behind it has no switch. */
#define DV_ACTIVATION_SWITCH(kind, CALL)                                                           \
    switch (kind) {                                                                                \
    case DV_ACT_NONE:                                                                              \
        CALL(DV_ACT_NONE);                                                                         \
        break;                                                                                     \
    case DV_ACT_RELU:                                                                              \
        CALL(DV_ACT_RELU);                                                                         \
        break;                                                                                     \
    case DV_ACT_SIGMOID:                                                                           \
        CALL(DV_ACT_SIGMOID);                                                                      \
        break;                                                                                     \
    case DV_ACT_TANH:                                                                              \
        CALL(DV_ACT_TANH);                                                                         \
        break;                                                                                     \
    case DV_ACT_SILU:                                                                              \
        CALL(DV_ACT_SILU);                                                                         \
        break;                                                                                     \
    case DV_ACT_GELU:                                                                              \
        CALL(DV_ACT_GELU);                                                                         \
        break;                                                                                     \
    case DV_ACT_HARDSWISH:                                                                         \
        CALL(DV_ACT_HARDSWISH);                                                                    \
        break;                                                                                     \
    default:                                                                                       \
        break;                                                                                     \
    }

#endif
