#include "tests/op_cases/vector_state.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__OPTIMIZE__)

#include <cpuid.h>

enum { UPPER_YMM = 1 << 2, UPPER_ZMM = 1 << 6 };

void vector_state_clear(void)
{
    __asm__ volatile("vzeroupper" ::: "memory");
}

void vector_state_use(void)
{
    __asm__ volatile("vcmpps $15, %%ymm0, %%ymm0, %%ymm0" ::: "xmm0", "memory");
}

int vector_state_in_use(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1) : "memory");
    (void)high;
    return (int)(low & (UPPER_YMM | UPPER_ZMM));
}

/* Bit 2 of CPUID 13, 1 says whether XGETBV with ECX = 1 exists. */
const char *vector_state_unknown(void)
{
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("avx"))
        return "the processor has no AVX";
    if (__get_cpuid_count(13, 1, &a, &b, &c, &d) == 0 || (a & 1 << 2) == 0)
        return "the processor has no XGETBV with ECX = 1";
    vector_state_use();
    int used = vector_state_in_use();
    vector_state_clear();
    if (used == 0 || vector_state_in_use() != 0)
        return "the processor does not tell which registers are in use";
    return NULL;
}

#else

const char *vector_state_unknown(void)
{
    return "compiled without optimization, or not for x86-64";
}

void vector_state_clear(void)
{
}

void vector_state_use(void)
{
}

int vector_state_in_use(void)
{
    return 0;
}

#endif
