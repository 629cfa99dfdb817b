/* Converts elements through blocks of floats, so that each type has only two conversions: to floats
   and from floats. */
#include "engine/base/convert.h"
#include "kernels/formulas/quantize.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

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

/* ---- To floats; exact, except the product with a scale ---- */

/*
 * Shifts the exponent and fraction to their places in a float. The result is 2^112 times too small,
 * for normal and subnormal numbers alike. Infinity and NaN (exponent 31) then lack bits of their
 * exponent.
 */
static void from_f16(const uint16_t *restrict from, int64_t count, float *restrict into)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        uint32_t magnitude = from[i] & 0x7FFFU;
        uint32_t infinite = magnitude >= 0x7C00U ? 0x7F800000U : 0;
        uint32_t sign = (uint32_t)(from[i] & 0x8000U) << 16;
        float scaled = float_of(magnitude << 13) * 0x1p112F;
        into[i] = float_of(bits_of(scaled) | infinite | sign);
    }
}

static void from_bf16(const uint16_t *restrict from, int64_t count, float *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = float_of((uint32_t)from[i] << 16);
}

static void from_i8(const int8_t *restrict from, float scale, int64_t count, float *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = scale * (float)from[i];
}

static void from_doubles(const double *restrict from, int64_t count, float *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = (float)from[i];
}

/* ---- From floats ---- */

/* Rounds to nearest even. Below 2^-14, FP16 numbers are multiples of 2^-24, so nearbyint rounds
   right. */
static uint16_t f16_of(float value)
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

static void to_f16(const float *restrict from, int64_t count, uint16_t *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = f16_of(from[i]);
}

static void to_bf16(const float *restrict from, int64_t count, uint16_t *restrict into)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(from[i]);
        uint32_t number = bits + 0x7FFF + (bits >> 16 & 1);
        into[i] = (uint16_t)((isnan(from[i]) ? bits | 0x400000 : number) >> 16);
    }
}

static void to_i8(const float *restrict from, float scale, int64_t count, int8_t *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = dv_quantize(from[i], scale);
}

static void to_doubles(const float *restrict from, int64_t count, double *restrict into)
{
    for (int64_t i = 0; i < count; i++)
        into[i] = (double)from[i];
}

/* ---- Blocks ---- */

/* Contiguous elements with at most one scale. */
typedef struct elements {
    dv_dtype dtype;
    float scale;
    char *at;
    size_t size;
} elements;

static void read_block(const elements *from, int64_t count, float *into)
{
    const void *at = from->at;
    switch (from->dtype) {
    case DV_F16:
        from_f16(at, count, into);
        break;
    case DV_BF16:
        from_bf16(at, count, into);
        break;
    case DV_I8:
        from_i8(at, from->scale, count, into);
        break;
    default:
        if (from->size == sizeof(double))
            from_doubles(at, count, into);
        else
            memcpy(into, at, (size_t)count * sizeof *into);
    }
}

static void write_block(const float *from, int64_t count, const elements *into)
{
    void *at = into->at;
    switch (into->dtype) {
    case DV_F16:
        to_f16(from, count, at);
        break;
    case DV_BF16:
        to_bf16(from, count, at);
        break;
    case DV_I8:
        to_i8(from, into->scale, count, at);
        break;
    default:
        if (into->size == sizeof(double))
            to_doubles(from, count, at);
        else
            memcpy(at, from, (size_t)count * sizeof *from);
    }
}

static elements part(const void *memory, dv_type type, const float *scales, size_t real_size)
{
    size_t size = type.dtype == DV_F32 ? real_size : dv_dtype_size(type.dtype);
    return (elements){type.dtype, scales != NULL ? 0 : type.scale, (char *)(uintptr_t)memory, size};
}

/* Converts block by block; a block never has two scales. */
void dv_convert(const dv_conversion *c, size_t real_size)
{
    elements from = part(c->source, c->from, c->from_scales, real_size);
    elements into = part(c->into, c->to, c->to_scales, real_size);
    bool scales = c->from_scales != NULL || c->to_scales != NULL;
    if (dv_conversion_copies(c)) {
        memcpy(into.at, from.at, (size_t)c->count * from.size);
        return;
    }
    for (int64_t first = 0, count; first < c->count; first += count) {
        float block[BLOCK];
        int64_t most = scales ? c->per_scale - first % c->per_scale : BLOCK;
        most = most < BLOCK ? most : BLOCK;
        count = c->count - first < most ? c->count - first : most;
        if (c->from_scales != NULL)
            from.scale = c->from_scales[first / c->per_scale];
        if (c->to_scales != NULL)
            into.scale = c->to_scales[first / c->per_scale];
        bool direct = into.dtype == DV_F32 && into.size == sizeof(float);
        float *floats = direct ? (float *)(void *)into.at : block;
        read_block(&from, count, floats);
        if (!direct)
            write_block(floats, count, &into);
        from.at += (size_t)count * from.size;
        into.at += (size_t)count * into.size;
    }
}

int64_t dv_round_to_half(const float *values, int64_t count, uint16_t *halves)
{
    dv_conversion conversion = {
        .source = values, .into = halves, .count = count, .to = {.dtype = DV_F16}};
    dv_convert(&conversion, sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        if ((halves[i] & 0x7C00) == 0x7C00) /* infinity or NaN */
            return i;
    }
    return -1;
}
