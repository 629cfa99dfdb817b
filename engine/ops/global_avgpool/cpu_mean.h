/* Means over rows, shared by the operations that begin with them. */
#ifndef DV_OPS_GLOBAL_AVGPOOL_CPU_MEAN_H
#define DV_OPS_GLOBAL_AVGPOOL_CPU_MEAN_H

#include "engine/ops/cpu.h"

/* x (rows, channels) -> y (channels). */
DV_CPU_INLINE void dv__cpu_mean_rows(const float *restrict x, float *restrict y, int64_t rows,
                                     int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        y[c] = 0;
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        const float *a = x + row * channels, *b = a + channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[c] += (a[c] + b[c]) + (a[c + 2 * channels] + b[c + 2 * channels]);
    }
    for (; row < rows; row++) {
        const float *a = x + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[c] += a[c];
    }
    float share = 1.0F / (float)rows;
    for (int64_t c = 0; c < channels; c++)
        y[c] *= share;
}

#endif
