/* Helpers for the CPU's loops: OpenMP over float. */
#ifndef DV_DEVICE_CPU_H
#define DV_DEVICE_CPU_H

#include <stdint.h>

/* With fewer elements a parallel region costs more than it saves:
   `#pragma omp parallel for if (count > DV_CPU_GRAIN)`. */
enum { DV_CPU_GRAIN = 16384 };

/* Units of work of a parallel loop: elements of a flat array, and rows of channels. Both are
   multiples of a cache line of floats, even with one float per row. */
enum { DV_CPU_BLOCK = 4096, DV_CPU_ROWS = 16 };

/*
 * DV_CPU_CLONES before a static function with hot loops compiles it for AVX-512, AVX2 and the
 * baseline; the loader chooses one. Contraction to fused multiply-add is off except in some files
 * (CMakeLists.txt), so elsewhere the three differ only in the order of `omp simd reduction` sums.
 * Such a function has no `omp parallel` of its own; it computes one thread's range. The resolvers
 * need glibc, and ThreadSanitizer cannot run them.
 */
#if defined(__gnu_linux__) && defined(__x86_64__) && !defined(__clang__) &&                        \
    !defined(__SANITIZE_THREAD__)
#define DV_CPU_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DV_CPU_CLONES
#endif

/* For functions that clones call: inlining compiles them for the clone's instruction set. */
#define DV_CPU_INLINE static inline __attribute__((always_inline))

static inline int64_t dv_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Transposes x (rows, columns) into y (columns, rows) in strips of 16 columns, so that reads are
   contiguous and writes go to few places. */
static inline void dv_transpose(const float *x, int64_t rows, int64_t columns, float *y)
{
    for (int64_t start = 0; start < columns; start += 16) {
        int64_t end = dv_smaller(start + 16, columns);
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t column = start; column < end; column++)
                y[column * rows + row] = x[row * columns + column];
        }
    }
}

#endif
