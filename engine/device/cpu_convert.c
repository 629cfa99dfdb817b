/* The CPU's conversions between types, and the choice of products that round their operands. */
#include "engine/base/convert.h"
#include "engine/device/cpu.h"
#include "engine/device/cpu_device.h"
#include "kernels/formulas/quantize.h"

#include <math.h>
#include <string.h>

/* Asks oneDNN, so that DNNL_MAX_CPU_ISA has its effect. */
bool dv_cpu_has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

dv_dtype dv_cpu_operands(const dv_node_step *step, int64_t products)
{
    bool pays = products >= dv_cpu_device_of(step->context)->bf16_products;
    return pays ? step->w_type[0] : DV_F32;
}

/* ---- Fast conversions, with the same results as dv_convert ---- */

DV_CPU_CLONES
static void round_block(const float *restrict from, uint16_t *restrict into, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        uint32_t number = bits + 0x7FFF + (bits >> 16 & 1);
        into[i] = (uint16_t)((isnan(from[i]) ? bits | 0x400000 : number) >> 16);
    }
}

DV_CPU_CLONES
static void quantize_block(const float *restrict from, float scale, int8_t *restrict into,
                           int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        into[i] = dv_quantize(from[i], scale);
}

void dv_cpu_round_part(const float *from, uint16_t *into, int64_t count)
{
    round_block(from, into, count);
}

void dv_cpu_round(const float *from, uint16_t *into, int64_t count)
{
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        round_block(from + i, into + i, dv_smaller(DV_CPU_BLOCK, count - i));
}

/* One thread's part of a conversion. */
static void convert_block(const dv_conversion *c)
{
    if (c->from.dtype == DV_F32 && c->to.dtype == DV_BF16)
        round_block(c->source, c->into, c->count);
    else if (c->from.dtype == DV_F32 && c->to.dtype == DV_I8)
        quantize_block(c->source, c->to.scale, c->into, c->count);
    else
        dv_convert(c, sizeof(float));
}

/* Divides the elements among threads. Elements with one scale form a block. */
dv_status dv_cpu_convert(dv_context *context, const dv_conversion *c)
{
    (void)context;
    bool scales = c->from_scales != NULL || c->to_scales != NULL;
    int64_t length = scales ? c->per_scale : DV_CPU_BLOCK;
    size_t from = dv_dtype_size(c->from.dtype), to = dv_dtype_size(c->to.dtype);
#pragma omp parallel for schedule(static) if (c->count > DV_CPU_GRAIN)
    for (int64_t first = 0; first < c->count; first += length) {
        dv_conversion part = {.source = (const char *)c->source + (size_t)first * from,
                              .into = (char *)c->into + (size_t)first * to,
                              .count = dv_smaller(length, c->count - first),
                              .from = c->from,
                              .to = c->to};
        if (c->from_scales != NULL)
            part.from.scale = c->from_scales[first / length];
        if (c->to_scales != NULL)
            part.to.scale = c->to_scales[first / length];
        convert_block(&part);
    }
    return DV_OK;
}
