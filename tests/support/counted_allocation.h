/*
 * Counts the allocations of everything that is linked statically, the engine and the tests, and
 * makes one of them fail. Shared libraries are not seen: oneDNN and OpenMP keep what they allocate
 * for themselves to their own side of the linker. Needs --wrap for each of
 * the four functions.
 */
#ifndef DV_TESTS_COUNTED_ALLOCATION_H
#define DV_TESTS_COUNTED_ALLOCATION_H

#include <stdint.h>

/* Calls of malloc, calloc, realloc and aligned_alloc so far. */
int64_t allocation_count(void);

/* The `next`-th allocation from now fails, once; 0: none does. */
void allocation_fail(int64_t next);

#endif
