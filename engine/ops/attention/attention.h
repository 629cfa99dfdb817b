/*
 * Scaled dot-product self-attention (Vaswani et al. 2017) without its parameters:
 *
 *     x = (q, k, v)    (N, 1, T, 3 C), the output of PyTorch's in_proj; each C has `heads` parts
 *                      of D = C / heads channels
 *     p = softmax over the keys of q k^T / sqrt(D)    (N, heads, T, T)
 *     y = p v                                         (N, 1, T, C), the heads side by side
 *
 * With dp = dy v^T the gradients are
 *
 *     dv = p^T dy, ds = p (dp - sum over the keys of p dp) / sqrt(D), dq = ds k, dk = ds^T q
 */
#ifndef DV_OPS_ATTENTION_H
#define DV_OPS_ATTENTION_H

#include "engine/core/op.h"

typedef struct dv_attention_attr {
    int64_t heads; /* divides C */
} dv_attention_attr;

#endif
