/* BF16 on the CPU: whether there is, and rounding to it. */
#include "engine/device/cpu.h"
#include "engine/device/cpu_device.h"

#include <math.h>
#include <string.h>

/* As far as oneDNN may use the processor: DNNL_MAX_CPU_ISA. */
bool dv_cpu_has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

bool dv_cpu_rounds(const dv_context *context, int64_t products)
{
    return context->operands == DV_BF16 && products >= dv_cpu_device_of(context)->half_products;
}

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
