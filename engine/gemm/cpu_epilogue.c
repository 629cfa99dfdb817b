/* Applies activations in place, with a vectorised loop for each function. */
#include "engine/gemm/cpu_epilogue.h"
#include "engine/device/cpu.h"
#include "kernels/formulas/scalar_math.h"

DV_CPU_INLINE void activate_rows(int kind, float *y, const int64_t *offsets, int64_t rows,
                                 int64_t columns)
{
    for (int64_t row = 0; row < rows; row++) {
        float *at = y + offsets[row];
#pragma omp simd
        for (int64_t c = 0; c < columns; c++)
            at[c] = dv_activate(kind, at[c]);
    }
}

DV_CPU_CLONES
static void activate(int kind, float *y, const int64_t *offsets, int64_t rows, int64_t columns)
{
#define ACTIVATE(constant) activate_rows(constant, y, offsets, rows, columns)
    DV_ACTIVATION_SWITCH(kind, ACTIVATE)
#undef ACTIVATE
}

void dv_cpu_activate(int activation, float *y, const int64_t *offsets, int64_t rows,
                     int64_t columns)
{
    if (activation != DV_ACT_NONE)
        activate(activation, y, offsets, rows, columns);
}
