/* Converts single numbers to and from the types of 16 bits, by the host's conversion. */
#ifndef TESTS_SUPPORT_ROUNDING_H
#define TESTS_SUPPORT_ROUNDING_H

#include "engine/base/convert.h"

static inline uint16_t bits_from_float(dv_dtype dtype, float value)
{
    uint16_t bits;
    dv_conversion conversion = {
        .source = &value, .into = &bits, .count = 1, .to = {.dtype = dtype}};
    dv_convert(&conversion, sizeof value);
    return bits;
}

static inline float float_from_bits(dv_dtype dtype, uint16_t bits)
{
    float value;
    dv_conversion conversion = {
        .source = &bits, .into = &value, .count = 1, .from = {.dtype = dtype}};
    dv_convert(&conversion, sizeof value);
    return value;
}

#endif
