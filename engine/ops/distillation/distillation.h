/* A loss with the distance to a teacher (Hinton, Vinyals and Dean, "Distilling the knowledge in a
   neural network", 2015). */
#ifndef DV_OPS_DISTILLATION_H
#define DV_OPS_DISTILLATION_H

#include "engine/core/op.h"

/*
 * loss (N,1,1,1), logits (N,1,1,K), teacher (its logits, N,1,1,K), targets (N,1,1,K) -> losses
 * (N,1,1,1), one per sample:
 *
 *     (1 - weight) loss + weight temperature^2 sum(targets) sum_k q_k (log q_k - log p_k)
 *
 * p = softmax(logits / temperature), q = softmax(teacher / temperature). The square keeps the size
 * of the gradient the same for all temperatures. sum(targets) is the sample's weight, as in
 * softmax_cross_entropy.h, which makes `loss`. The teacher and the targets get no gradient.
 */
typedef struct dv_distillation_attr {
    double weight;      /* 0 < weight <= 1 */
    double temperature; /* above 0 */
} dv_distillation_attr;

#endif
