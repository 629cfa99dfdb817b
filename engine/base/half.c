/* Converts between float and the two types of 16 bits, and rounds to nearest even. */
#include "engine/base/half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t bfloat_from_float(float value)
{
    uint32_t bits = bits_of(value);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* Below 2^-14 halves are multiples of 2^-24, and nearbyint rounds as they do. */
static uint16_t ieee_from_float(float value)
{
    uint16_t sign = (uint16_t)(bits_of(value) >> 16 & 0x8000);
    float magnitude = fabsf(value);
    if (isnan(value))
        return (uint16_t)(sign | 0x7E00);
    if (magnitude >= 65520.0F)
        return (uint16_t)(sign | 0x7C00);
    if (magnitude < 0x1p-14F)
        return (uint16_t)(sign | (uint16_t)nearbyintf(magnitude * 0x1p24F));
    uint32_t bits = bits_of(magnitude);
    bits += 0xFFF + (bits >> 13 & 1);
    return (uint16_t)(sign | (uint16_t)((bits - 0x38000000U) >> 13));
}

uint16_t dv_half_from_float(dv_dtype dtype, float value)
{
    return dtype == DV_BF16 ? bfloat_from_float(value) : ieee_from_float(value);
}

static float ieee_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31, fraction = half & 0x3FF;
    if (exponent == 31)
        return float_of(sign | 0x7F800000U | fraction << 13);
    if (exponent == 0)
        return (sign != 0 ? -1.0F : 1.0F) * (float)fraction * 0x1p-24F;
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

float dv_half_to_float(dv_dtype dtype, uint16_t half)
{
    return dtype == DV_BF16 ? float_of((uint32_t)half << 16) : ieee_to_float(half);
}

/*
 * A half's exponent and fraction, moved into their places in a float, make a number that is 2^112
 * times too small, whether it is normal or not; infinity and NaN, which have exponent 31, then lack
 * bits of their exponent.
 */
bool dv_halves_to_floats(const uint16_t *restrict halves, int64_t count, float *restrict values)
{
    uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < count; i++) {
        uint32_t magnitude = halves[i] & 0x7FFFU;
        uint32_t infinite = magnitude >= 0x7C00U ? 0x7F800000U : 0;
        uint32_t sign = (uint32_t)(halves[i] & 0x8000U) << 16;
        float scaled = float_of(magnitude << 13) * 0x1p112F;
        values[i] = float_of(bits_of(scaled) | infinite | sign);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest < 0x7C00U;
}
