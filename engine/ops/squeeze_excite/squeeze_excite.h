/*
 * Squeeze and excitation (Hu et al., "Squeeze-and-excitation networks", 2018) as one operation:
 *
 *     mean = the mean of x over the positions           (N, C)
 *     gate = sigmoid(W2 f(W1 mean + b1) + b2)           (N, C), W1 (middle, C), W2 (C, middle)
 *     y    = x gate                                     (N, H, W, C)
 *
 * The parameters are reduce.weight W1, reduce.bias b1, expand.weight W2, expand.bias b2, in this
 * order.
 */
#ifndef DV_OPS_SQUEEZE_EXCITE_H
#define DV_OPS_SQUEEZE_EXCITE_H

#include "engine/core/op.h"

typedef struct dv_squeeze_excite_attr {
    int64_t reduction; /* channels per middle unit */
    int activation;    /* f, dv_activation_kind */
    int64_t units;     /* middle units; 0 stands for C / reduction */
} dv_squeeze_excite_attr;

/* The number of middle units, at least one. */
static inline int64_t dv_squeeze_excite_middle(const dv_squeeze_excite_attr *attr, int64_t channels)
{
    if (attr->units > 0)
        return attr->units;
    int64_t middle = channels / attr->reduction;
    return middle > 0 ? middle : 1;
}

#endif
