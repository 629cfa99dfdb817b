/*
 * Activation functions and their derivatives, in float, for one element. The CPU's loops and the
 * CUDA kernels compute the same formulas. They have no branches and no calls of libm, so that a
 * loop over them becomes vector code. A NaN gives a NaN, and no finite x overflows.
 *
 * The errors in units in the last place are: tanh 2, sigmoid and hardswish 3, silu 4, gelu 10 for
 * x > -4 and 70 for all x (from the rounding of x^2). Results below the smallest normal number are
 * 0.
 */
#ifndef DV_FORMULAS_SCALAR_MATH_H
#define DV_FORMULAS_SCALAR_MATH_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define DV_HD __host__ __device__
#else
/* A call would keep the loop around it from becoming vector code. */
#define DV_HD __attribute__((always_inline))
#endif

typedef enum dv_activation_kind {
    DV_ACT_NONE,
    DV_ACT_RELU,
    DV_ACT_SIGMOID,
    DV_ACT_TANH,
    DV_ACT_SILU,      /* x sigmoid(x) */
    DV_ACT_GELU,      /* x Phi(x), by erf */
    DV_ACT_HARDSWISH, /* x clamp(x + 3, 0, 6) / 6 */
    DV_ACT_COUNT
} dv_activation_kind;

/* exp(x) for x <= 0. The result is 0 for x < -87; exp(-87) is close to the smallest normal number.
   x = n ln 2 + r with |r| <= ln 2 / 2 and ln 2 in two parts. The polynomial is the minimax of
   exp(r), with an error of 3e-9. */
static inline DV_HD float dv_exp_negative(float x)
{
    const float round = 12582912.0F; /* 1.5 * 2^23, so that the sum's low bits are an integer */
    float z = x < -87.0F ? -87.0F : x;
    float shifted = z * 1.44269504F + round;
    float n = shifted - round;
    float r = (z - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.3950486e-3F;
    p = p * r + 8.3688880e-3F;
    p = p * r + 4.1666206e-2F;
    p = p * r + 1.6666518e-1F;
    p = p * r + 0.5F;
    p = (p * r) * r + r + 1.0F;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3F800000U; /* 2^n; the shift drops the bits of `round` itself */
    float power;
    memcpy(&power, &bits, sizeof power);
    float value = p * power;
    return x < -87.0F ? 0.0F : value;
}

static inline DV_HD float dv_relu(float x)
{
    return x < 0.0F ? 0.0F : x;
}

/* Derivatives named "_from_y" take the function's value, the others take x. */
static inline DV_HD float dv_relu_slope_from_y(float y)
{
    return y <= 0.0F ? 0.0F : 1.0F;
}

static inline DV_HD float dv_sigmoid(float x)
{
    float e = dv_exp_negative(-fabsf(x));
    float numerator = x < 0.0F ? e : 1.0F;
    return numerator / (1.0F + e);
}

static inline DV_HD float dv_sigmoid_slope_from_y(float y)
{
    return y * (1.0F - y);
}

/* Near 0, where 1 - exp would cancel, it is the odd minimax polynomial (error 4e-9). */
static inline DV_HD float dv_tanh(float x)
{
    float a = fabsf(x);
    float e = dv_exp_negative(-2.0F * a);
    float far = (1.0F - e) / (1.0F + e);
    float u = x * x;
    float p = -5.7170370e-3F;
    p = p * u + 2.0650579e-2F;
    p = p * u - 5.3743497e-2F;
    p = p * u + 1.3331491e-1F;
    p = p * u - 3.3333284e-1F;
    float near = x + x * (u * p);
    float signed_far = x < 0.0F ? -far : far;
    return a < 0.625F ? near : signed_far;
}

static inline DV_HD float dv_tanh_slope_from_y(float y)
{
    return 1.0F - y * y;
}

static inline DV_HD float dv_silu(float x)
{
    return x * dv_sigmoid(x);
}

static inline DV_HD float dv_silu_slope(float x)
{
    float s = dv_sigmoid(x);
    return s + x * (s * (1.0F - s));
}

/*
 * The normal distribution: returns Phi(x), and *density becomes exp(-x^2 / 2). The tail Phi(-a) is
 * the density times Mills' ratio / sqrt(2 pi). The latter is a smooth function, here t times a
 * polynomial of t = 1 / (1 + a / 4), minimax for 0 <= a <= 13.3 (relative error 8e-9), where the
 * density ends.
 */
static inline DV_HD float dv_normal(float x, float *density)
{
    float a = fabsf(x);
    float e = dv_exp_negative(-0.5F * (a * a));
    float t = 1.0F / (1.0F + 0.25F * a);
    float p = 1.6088434e-2F;
    p = p * t - 6.0035925e-2F;
    p = p * t + 4.4933073e-2F;
    p = p * t + 3.7761588e-2F;
    p = p * t + 4.6046837e-3F;
    p = p * t + 9.1227144e-2F;
    p = p * t + 7.0331430e-2F;
    p = p * t + 9.5895190e-2F;
    p = p * t + 9.9443786e-2F;
    p = p * t + 9.9750600e-2F;
    float tail = e * (t * p);
    *density = e;
    return x > 0.0F ? 1.0F - tail : tail;
}

static inline DV_HD float dv_gelu(float x)
{
    float density;
    return x * dv_normal(x, &density);
}

static inline DV_HD float dv_gelu_slope(float x)
{
    float density;
    float cumulated = dv_normal(x, &density);
    return cumulated + 0.398942280F * (x * density); /* 1 / sqrt(2 pi) */
}

static inline DV_HD float dv_hardswish(float x)
{
    float gate = x + 3.0F;
    gate = gate < 0.0F ? 0.0F : gate;
    gate = gate > 6.0F ? 6.0F : gate;
    return x * (gate * (1.0F / 6.0F));
}

/* At the two corners it is 0 and 1, as in PyTorch. */
static inline DV_HD float dv_hardswish_slope(float x)
{
    float middle = x * (1.0F / 3.0F) + 0.5F;
    float slope = x >= 3.0F ? 1.0F : middle;
    return x <= -3.0F ? 0.0F : slope;
}

/* `kind` (dv_activation_kind) should be a constant when this is inlined into a loop. */
static inline DV_HD float dv_activate(int kind, float x)
{
    switch (kind) {
    case DV_ACT_RELU:
        return dv_relu(x);
    case DV_ACT_SIGMOID:
        return dv_sigmoid(x);
    case DV_ACT_TANH:
        return dv_tanh(x);
    case DV_ACT_SILU:
        return dv_silu(x);
    case DV_ACT_GELU:
        return dv_gelu(x);
    case DV_ACT_HARDSWISH:
        return dv_hardswish(x);
    default:
        return x;
    }
}

/* The derivative at x, where y = dv_activate(kind, x). Kinds up to DV_ACT_TANH read y, the others
   read x. */
static inline DV_HD float dv_activation_slope(int kind, float x, float y)
{
    switch (kind) {
    case DV_ACT_RELU:
        return dv_relu_slope_from_y(y);
    case DV_ACT_SIGMOID:
        return dv_sigmoid_slope_from_y(y);
    case DV_ACT_TANH:
        return dv_tanh_slope_from_y(y);
    case DV_ACT_SILU:
        return dv_silu_slope(x);
    case DV_ACT_GELU:
        return dv_gelu_slope(x);
    case DV_ACT_HARDSWISH:
        return dv_hardswish_slope(x);
    default:
        return 1.0F;
    }
}

/* Whether the derivative is a function of the output. */
static inline DV_HD bool dv_activation_from_output(int kind)
{
    return kind <= DV_ACT_TANH;
}

/* Runs CALL(kind) with the kind as a constant, so that a loop in it has no switch. */
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
