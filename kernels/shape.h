/* Launchers that move elements and compute nothing. Conventions: elementwise.h. */
#ifndef DV_KERNELS_SHAPE_H
#define DV_KERNELS_SHAPE_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From x (samples, a, b, inner) to y (samples, b, a, inner). */
int dv_launch_swap_axes(dv_dtype dtype, const void *x, void *y, int64_t samples, int64_t a,
                        int64_t b, int64_t inner, void *stream);

enum { DV_CONCAT_MAX = 8 };

typedef struct dv_concat {
    int parts;
    int64_t rows;
    int64_t width[DV_CONCAT_MAX];
    const void *from[DV_CONCAT_MAX]; /* (rows, width[k]) each */
    void *to[DV_CONCAT_MAX];         /* their gradients, for backward; NULL if not wanted */
} dv_concat;

/* y is (rows, sum of the widths). */
int dv_launch_concat(dv_dtype dtype, const dv_concat *call, void *y, void *stream);
int dv_launch_concat_backward(dv_dtype dtype, const dv_concat *call, const void *dy, void *stream);

#ifdef __cplusplus
}
#endif

#endif
