/* Hot loops for several instruction sets. */
#ifndef DV_BASE_CLONES_H
#define DV_BASE_CLONES_H

#include <stdbool.h>
#include <stdint.h> /* any header of glibc defines __GLIBC__ */

/*
 * DV__CLONES before a function compiles it for several instruction sets, if the compiler and the C
 * library support it. The loader chooses one of them. Floating-point contraction is off, so the
 * choice changes no product or sum, only the order of reductions.
 */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
#define DV__CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define DV__CLONES
#endif

/* Whether the processor has 32 vector registers of 16 floats (AVX-512). On other processors a loop
   that keeps less in registers may be faster. */
static inline bool dv__has_many_registers(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") != 0;
#else
    return false;
#endif
}

#endif
