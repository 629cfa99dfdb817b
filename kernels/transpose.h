/* Launcher of the transposition of small matrices. See elementwise.h for what holds of all
   launchers. */
#ifndef DV_KERNELS_TRANSPOSE_H
#define DV_KERNELS_TRANSPOSE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* from (count, rows, columns) -> into (count, columns, rows), floats: the weights of a convolution
   between (O,I,H,W) and (O,H,W,I). */
int dv_launch_transpose(const float *from, float *into, int64_t count, int64_t rows,
                        int64_t columns, void *stream);

#ifdef __cplusplus
}
#endif

#endif
