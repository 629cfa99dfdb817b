/* How loops are written for the CPU: OpenMP over float. */
#ifndef DV_DEVICE_CPU_H
#define DV_DEVICE_CPU_H

#include <stdint.h>

/* Below so many elements a parallel region costs more than it saves:
   `#pragma omp parallel for if (count > DV_CPU_GRAIN)`. */
enum { DV_CPU_GRAIN = 16384 };

/* One unit of work of a parallel loop over a flat array, and over rows of channels (multiples of a
   cache line of floats, also where there is one float per row). */
enum { DV_CPU_BLOCK = 4096, DV_CPU_ROWS = 16 };

/*
 * Before a static function with the hot loops: compiled for AVX-512, AVX2 and the baseline, and
 * chosen at load time. Contraction to fused multiply-add is off but for some files
 * (CMakeLists.txt), so elsewhere the three differ only in the order of `omp simd reduction` sums.
 * Such a function has no `omp parallel` of its own: it does one thread's range. ThreadSanitizer
 * cannot run the resolvers, and they need glibc.
 */
#if defined(__gnu_linux__) && defined(__x86_64__) && !defined(__clang__) &&                        \
    !defined(__SANITIZE_THREAD__)
#define DV_CPU_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DV_CPU_CLONES
#endif

/* For what the clones call: inlined, it is compiled for their instruction set. */
#define DV_CPU_INLINE static inline __attribute__((always_inline))

static inline int64_t dv_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* x (rows, columns) -> y (columns, rows), in strips of columns that are read whole and written to
   few places. */
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
