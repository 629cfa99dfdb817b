/* Sinusoidal positions (Vaswani et al. 2017, section 3.5). */
#ifndef DV_OPS_POSITIONS_H
#define DV_OPS_POSITIONS_H

#include "engine/core/tensor.h"

#include <math.h>

/*
 * x (N,1,T,C) -> y = x + table (T,C), with table[t][2 i] = sin(t / 10000^(2 i / C)), and the cosine
 * of the same angle in table[t][2 i + 1]. For an odd C the last sine has no cosine. There are no
 * parameters.
 */
static inline double dv__position(int64_t t, int64_t c, int64_t channels)
{
    double angle = (double)t * pow(10000, -(double)(c - c % 2) / (double)channels);
    return c % 2 == 0 ? sin(angle) : cos(angle);
}

/* Fills the table (shape.w, shape.c) in float. */
static inline void dv__positions_fill(dv_shape shape, float *table)
{
    for (int64_t t = 0; t < shape.w; t++) {
        for (int64_t c = 0; c < shape.c; c++)
            table[t * shape.c + c] = (float)dv__position(t, c, shape.c);
    }
}

#endif
