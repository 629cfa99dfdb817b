/*
 * Fits the shares with which the operation weighted_sum mixes the logits of an ensemble's trained
 * members, on clips that no member was trained on.
 */
#ifndef DV_TRAIN_SHARES_H
#define DV_TRAIN_SHARES_H

#include "engine/core/op.h"

/* The members' answers. All pointers are borrowed. */
typedef struct dv_shares_answers {
    const float *logits[DV_MAX_INPUTS]; /* (members), each (count, classes) */
    const int *truth;                   /* (count) */
    int members;                        /* at least 1 */
    int64_t count, classes;             /* at least 1 */
} dv_shares_answers;

/* Mean cross-entropy of the logits mixed by `share` (members), and the number of right clips. */
dv_status dv_shares_measure(const dv_shares_answers *answers, const double *share, double *loss,
                            int64_t *correct);

/*
 * Finds the shares s (members), positive and with sum 1, that minimise
 *
 *     mean cross-entropy of sum over k of s_k logits_k  -  0.01 (sum over k of log s_k) / count
 *
 * The first term is convex in s. The second weighs as much as a hundredth of a clip and keeps
 * shares above 0. Gradient descent on w, with s = softmax(w), starts from equal shares and finds
 * the unique minimum, the same in every run.
 */
dv_status dv_shares_fit(const dv_shares_answers *answers, double *share);

#endif
