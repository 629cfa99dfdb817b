/* Launcher of the positions; see engine/ops/positions/positions.h, and elementwise.h for the
   conventions. */
#ifndef DV_KERNELS_POSITIONS_H
#define DV_KERNELS_POSITIONS_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y (samples, count) = x + table (count). The table is float. */
int dv_launch_positions(dv_dtype dtype, const void *x, const float *table, void *y, int64_t samples,
                        int64_t count, void *stream);

#ifdef __cplusplus
}
#endif

#endif
