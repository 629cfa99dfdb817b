/* The two halves on the host: numbers of 16 bits for tensors that go to a device or come from it.
 */
#ifndef DV_BASE_HALF_H
#define DV_BASE_HALF_H

#include "kernels/formulas/dtype.h"

#include <stdbool.h>
#include <stdint.h>

/* Rounds to nearest, ties to even; what is too large becomes infinite, a NaN stays one. dtype is
   DV_F16 or DV_BF16. */
uint16_t dv_half_from_float(dv_dtype dtype, float value);

/* Exact. */
float dv_half_to_float(dv_dtype dtype, uint16_t half);

/* The same of `count` DV_F16 at once, many times as fast; whether all of them are finite. */
bool dv_halves_to_floats(const uint16_t *halves, int64_t count, float *values);

#endif
