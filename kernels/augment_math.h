/*
 * How augmentation makes a shift and a gain of random words (frontends/augment.h), for the CPU and
 * for the CUDA kernels: integer arithmetic, and float additions and multiplications that are each
 * rounded by themselves, so that both give the same bits.
 */
#ifndef DV_KERNELS_AUGMENT_MATH_H
#define DV_KERNELS_AUGMENT_MATH_H

#include "kernels/scalar_math.h"

/* nvcc would contract a product and a sum; all other compilers are told not to. */
#ifdef __CUDA_ARCH__
#define DV_ROUNDED_PRODUCT(a, b) __fmul_rn((a), (b))
#define DV_ROUNDED_SUM(a, b) __fadd_rn((a), (b))
#else
#define DV_ROUNDED_PRODUCT(a, b) ((a) * (b))
#define DV_ROUNDED_SUM(a, b) ((a) + (b))
#endif

/* Uniform among -most .. most; 0 <= most < 2^31. */
static inline DV_HD int64_t dv_augment_shift(uint32_t bits, int64_t most)
{
    uint64_t choices = 2 * (uint64_t)most + 1;
    return (int64_t)(((uint64_t)bits * choices) >> 32) - most;
}

/*
 * 2^x for x uniform in [-most, most), by the top 24 bits: uniform in decibels for
 * most = dB / 6.0206. |most| <= 20. 2^f by the Taylor series of exp(f ln 2) to the 6th power,
 * |f| <= 1/2: error below 1.3e-7.
 */
static inline DV_HD float dv_augment_gain(uint32_t bits, float most)
{
    float uniform = DV_ROUNDED_PRODUCT((float)(bits >> 8), 1.0F / 8388608.0F); /* in [0, 2) */
    float x = DV_ROUNDED_PRODUCT(most, DV_ROUNDED_SUM(uniform, -1.0F));
    int32_t whole = (int32_t)DV_ROUNDED_SUM(x, x < 0.0F ? -0.5F : 0.5F);
    float f = DV_ROUNDED_SUM(x, -(float)whole);
    float power = 1.5403530e-4F;
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 1.3333558e-3F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 9.6181291e-3F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 5.5504109e-2F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 2.4022651e-1F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 6.9314718e-1F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 1.0F);
    for (; whole > 0; whole--)
        power *= 2.0F;
    for (; whole < 0; whole++)
        power *= 0.5F;
    return power;
}

#endif
