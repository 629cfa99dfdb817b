/* The rounding of a number to a multiple of a scale. All backends share it. */
#ifndef DV_FORMULAS_QUANTIZE_H
#define DV_FORMULAS_QUANTIZE_H

#include "kernels/formulas/scalar_math.h"

/* The q of DV_I8 whose scale * q is nearest to `value`, ties to even. NaN gives 0. */
static inline DV_HD int8_t dv_quantize(float value, float scale)
{
    const float round = 12582912.0F; /* 1.5 * 2^23: the sum has no fraction */
    float q = value / scale;
    q = q > 127.0F ? 127.0F : q;
    q = q < -127.0F ? -127.0F : q;
    q = q == q ? q : 0.0F;
    return (int8_t)((q + round) - round);
}

#endif
