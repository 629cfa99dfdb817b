/* The activation functions in double, by libm: the reference for kernels/formulas/scalar_math.h. */
#ifndef DV_OPS_ACTIVATION_REF_MATH_H
#define DV_OPS_ACTIVATION_REF_MATH_H

#include "engine/ops/activation/activation.h"

#include <math.h>

static inline double dv__ref_normal_cdf(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752); /* 1 / sqrt(2) */
}

static inline double dv__ref_activate(int kind, double x)
{
    switch (kind) {
    case DV_ACT_RELU:
        return x < 0 ? 0 : x;
    case DV_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case DV_ACT_TANH:
        return tanh(x);
    case DV_ACT_SILU:
        return x / (1 + exp(-x));
    case DV_ACT_GELU:
        return x * dv__ref_normal_cdf(x);
    case DV_ACT_HARDSWISH:
        return x < -3 ? 0 : x > 3 ? x : x * (x + 3) / 6;
    default:
        return x;
    }
}

/* The derivative at x. */
static inline double dv__ref_activation_slope(int kind, double x)
{
    double sigmoid = 1 / (1 + exp(-x));
    switch (kind) {
    case DV_ACT_RELU:
        return x <= 0 ? 0 : 1;
    case DV_ACT_SIGMOID:
        return sigmoid * (1 - sigmoid);
    case DV_ACT_TANH:
        return 1 - tanh(x) * tanh(x);
    case DV_ACT_SILU:
        return sigmoid * (1 + x * (1 - sigmoid));
    case DV_ACT_GELU:
        return dv__ref_normal_cdf(x) +
               x * exp(-0.5 * x * x) * 0.39894228040143268; /* 1 / sqrt(2 pi) */
    case DV_ACT_HARDSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    default:
        return 1;
    }
}

#endif
