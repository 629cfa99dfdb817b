/* A loss that also asks for what a teacher says (Hinton, Vinyals and Dean, "Distilling the
   knowledge in a neural network", 2015). */
#ifndef DV_OPS_DISTILLATION_H
#define DV_OPS_DISTILLATION_H

#include "engine/core/op.h"

/*
 * loss (N,1,1,1), logits (N,1,1,K), those of the teacher (N,1,1,K), targets (N,1,1,K) -> losses
 * (N,1,1,1), one per sample:
 *
 *     (1 - weight) loss + weight temperature^2 sum(targets) sum_k q_k (log q_k - log p_k)
 *
 * p = softmax(logits / temperature), q = softmax(teacher / temperature). The square keeps the
 * gradient's size whatever the temperature is; sum(targets) is the sample's weight, as in
 * softmax_cross_entropy.h, which makes the loss. No gradient for the teacher and the targets.
 */
typedef struct dv_distillation_attr {
    double weight;      /* 0 < weight <= 1 */
    double temperature; /* above 0 */
} dv_distillation_attr;

#endif
