/* Hot loops for several instruction sets. */
#ifndef DV_BASE_CLONES_H
#define DV_BASE_CLONES_H

#include <stdbool.h>
#include <stdint.h> /* any header of the C library says that it is glibc */

/*
 * Before a function: it is compiled for several instruction sets, one of which is chosen when the
 * program is loaded, where the compiler and the C library can do that. Floating-point contraction
 * is off, so the choice changes no product or sum, only the order of reductions.
 */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
#define DV__CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define DV__CLONES
#endif

/* Whether the processor has 32 vector registers of 16 floats. With half of that a loop may be
   faster that keeps less in registers. */
static inline bool dv__has_many_registers(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") != 0;
#else
    return false;
#endif
}

#endif
