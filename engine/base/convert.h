/* Conversion between the types of elements in the host's memory. */
#ifndef DV_BASE_CONVERT_H
#define DV_BASE_CONVERT_H

#include "kernels/formulas/dtype.h"

/* Converts as dv_conversion says. An element of DV_F32 has `real_size` bytes: 4, or 8 where doubles
   stand for floats. */
void dv_convert(const dv_conversion *conversion, size_t real_size);

/* Rounds values (count) to FP16. The place of the first that is too large for it, or is a NaN;
   -1: there is none. */
int64_t dv_round_to_half(const float *values, int64_t count, uint16_t *halves);

#endif
