/* Launchers of kernels on a matrix (rows, columns) and a vector with an element for each column.
   Conventions: elementwise.h. */
#ifndef DV_KERNELS_BIAS_H
#define DV_KERNELS_BIAS_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[r][c] += bias[c]; bias (columns) is float. */
int dv_launch_bias(dv_dtype dtype, void *y, const float *bias, int64_t rows, int64_t columns,
                   void *stream);

/* sums[c] = sum over r of x[r][c], in float. The order of the sums is fixed. */
int dv_launch_column_sums(dv_dtype dtype, const void *x, float *sums, int64_t rows, int64_t columns,
                          void *stream);

#ifdef __cplusplus
}
#endif

#endif
