/* Launchers of the transposition of small matrices. See elementwise.h for what holds of all
   launchers. */
#ifndef DV_KERNELS_TRANSPOSE_H
#define DV_KERNELS_TRANSPOSE_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* from (count, rows, columns) -> into (count, columns, rows), both of dtype: the weights of a
   convolution between (O,I,H,W) and (O,H,W,I). */
int dv_launch_transpose(dv_dtype dtype, const void *from, void *into, int64_t count, int64_t rows,
                        int64_t columns, void *stream);

/* The same with `from` of dtype and `into` float: a gradient of weights on its way to the
   parameter's. With rows 1 the order stays. */
int dv_launch_transpose_to_float(dv_dtype dtype, const void *from, float *into, int64_t count,
                                 int64_t rows, int64_t columns, void *stream);

#ifdef __cplusplus
}
#endif

#endif
