/* Conversion between element types in host memory. */
#ifndef DV_BASE_CONVERT_H
#define DV_BASE_CONVERT_H

#include "kernels/formulas/dtype.h"

/* Runs a dv_conversion. An element of DV_F32 has `real_size` bytes: 4, or 8 if doubles take the
   place of floats. */
void dv_convert(const dv_conversion *conversion, size_t real_size);

/* Rounds values (count) to FP16. Returns the index of the first value that is NaN or too large for
   FP16, or -1 if there is none. */
int64_t dv_round_to_half(const float *values, int64_t count, uint16_t *halves);

#endif
