/*
 * Counts the allocations of all code that is linked statically, the engine and the tests, and makes
 * one of them fail. Allocations inside shared libraries, as oneDNN and OpenMP, are not seen. Needs
 * --wrap for each of the four functions.
 */
#ifndef DV_TESTS_COUNTED_ALLOCATION_H
#define DV_TESTS_COUNTED_ALLOCATION_H

#include <stdint.h>

/* Calls of malloc, calloc, realloc and aligned_alloc so far. */
int64_t allocation_count(void);

/* Makes the `next`-th allocation from now fail, once. 0 makes none fail. */
void allocation_fail(int64_t next);

#endif
