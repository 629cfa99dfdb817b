/* Inverted dropout (Srivastava et al. 2014): elements that stay are divided by 1 - rate. */
#ifndef DV_OPS_DROPOUT_H
#define DV_OPS_DROPOUT_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) -> y. Element e stays if dv_uniform_from_bits of word e % 4 at index e / 4 of the
 * stream {pass->seed, DV_RNG_DROPOUT + node->id, pass->step} is >= rate. With `channels`, e counts
 * (n, c) pairs, so that whole channels of a sample are dropped. In inference, and in a frozen part
 * of the network, y = x.
 */
typedef struct dv_dropout_attr {
    double rate; /* 0 <= rate < 1 */
    bool channels;
} dv_dropout_attr;

static inline bool dv__dropout_drops(const dv_node_step *step)
{
    return step->pass->training && !step->frozen;
}

#endif
