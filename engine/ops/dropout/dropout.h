/* Dropout (Srivastava et al. 2014), inverted: what stays is divided by 1 - rate. */
#ifndef DV_OPS_DROPOUT_H
#define DV_OPS_DROPOUT_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) -> y; inference, and in a part of the network that is not trained: y = x. Element e
 * stays where dv_uniform_from_bits of word e % 4 at index e / 4 of the stream {run->seed,
 * DV_RNG_DROPOUT + node->id, run->step} is >= rate. channels: e counts (n, c) pairs, so whole
 * channels of a sample go.
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
