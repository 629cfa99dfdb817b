/* Launchers of the transposition of small matrices. Conventions: elementwise.h. */
#ifndef DV_KERNELS_TRANSPOSE_H
#define DV_KERNELS_TRANSPOSE_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Transposes from (count, rows, columns) to into (count, columns, rows), both of dtype. It brings
   the weights of a convolution from (O,I,H,W) to (O,H,W,I) and back. */
int dv_launch_transpose(dv_dtype dtype, const void *from, void *into, int64_t count, int64_t rows,
                        int64_t columns, void *stream);

/* dv_launch_transpose with `into` in float, for the gradient of weights on its way to the
   parameter. With rows 1 the order stays. */
int dv_launch_transpose_to_float(dv_dtype dtype, const void *from, float *into, int64_t count,
                                 int64_t rows, int64_t columns, void *stream);

#ifdef __cplusplus
}
#endif

#endif
