/* Cross-entropy of softmax(logits) against a target distribution. */
#ifndef DV_OPS_SOFTMAX_CROSS_ENTROPY_H
#define DV_OPS_SOFTMAX_CROSS_ENTROPY_H

#include "engine/core/op.h"

/*
 * logits (N,1,1,K), targets (N,1,1,K) -> losses (N,1,1,1), one per sample: -sum_k q_k log
 * softmax(logits)_k, with q = (1 - smoothing) targets + smoothing / K sum(targets) (Szegedy et al.
 * 2016; PyTorch's label_smoothing if a row sums to 1). A row of targets is a distribution times the
 * sample's weight, so the weight is a factor of the whole loss. The targets get no gradient.
 */
typedef struct dv_softmax_cross_entropy_attr {
    double smoothing; /* 0 <= smoothing < 1 */
} dv_softmax_cross_entropy_attr;

#endif
