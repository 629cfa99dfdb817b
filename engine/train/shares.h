/*
 * Shares of an ensemble whose members are trained: those with which the operation weighted_sum
 * mixes their logits best, by clips that none of them has learnt.
 */
#ifndef DV_TRAIN_SHARES_H
#define DV_TRAIN_SHARES_H

#include "engine/core/op.h"

/* What the members answer. All borrowed. */
typedef struct dv_shares_answers {
    const float *logits[DV_MAX_INPUTS]; /* (members) each (count, classes) */
    const int *truth;                   /* (count) */
    int members;                        /* at least 1 */
    int64_t count, classes;             /* at least 1 */
} dv_shares_answers;

/* Mean cross-entropy of the logits mixed with `share` (members), and how many clips are right. */
dv_status dv_shares_measure(const dv_shares_answers *answers, const double *share, double *loss,
                            int64_t *correct);

/*
 * The shares s (members), positive and of sum 1, that minimise
 *
 *     mean cross-entropy of sum over k of s_k logits_k  -  0.01 (sum over k of log s_k) / count
 *
 * The first term is convex in s; the second counts as much as a hundredth of a clip, and keeps
 * shares above 0. The minimum is unique; it is found from equal shares by gradient descent on w,
 * s = softmax(w), and the same on every run.
 */
dv_status dv_shares_fit(const dv_shares_answers *answers, double *share);

#endif
