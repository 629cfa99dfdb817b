/*
 * Shapes. Every activation is a contiguous 4-D tensor (N,H,W,C) with channels last; dimension N is
 * the slowest. Vectors are (N,1,1,C), sequences (N,1,T,C).
 */
#ifndef DV_CORE_TENSOR_H
#define DV_CORE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dv_shape {
    int64_t n, h, w, c;
} dv_shape;

static inline int64_t dv_shape_count(dv_shape shape)
{
    return shape.n * shape.h * shape.w * shape.c;
}

/* The number of rows of channels: N x H x W. */
static inline int64_t dv_shape_rows(dv_shape shape)
{
    return shape.n * shape.h * shape.w;
}

static inline bool dv_shape_equal(dv_shape a, dv_shape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

typedef struct dv_shape_text {
    char text[88];
} dv_shape_text;

/* The shape as text for messages: dv_shape_format(s).text is "(32, 4, 8, 64)". */
dv_shape_text dv_shape_format(dv_shape shape);

#endif
