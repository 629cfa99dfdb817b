/*
 * The part of a training step outside the graph: the gradient with which backward begins, the
 * metrics, the norm of the gradient, and the update of the collated buffers. It is tested against
 * PyTorch and the reference, as the nodes of the graph are.
 *
 * All functions work on a dv_progress in device memory and need nothing from the host, so that a
 * device can record a step once and replay it.
 */
#ifndef DV_OPTIMIZER_H
#define DV_OPTIMIZER_H

#include "engine/base/status.h"
#include "kernels/formulas/dtype.h"
#include "kernels/formulas/progress.h"

#include <stdint.h>

typedef struct dv_context dv_context;

typedef enum dv_optimizer_kind { DV_ADAMW, DV_ADAM, DV_SGD, DV_OPTIMIZER_COUNT } dv_optimizer_kind;

extern const char *const dv_optimizer_names[]; /* "adamw", "adam", "sgd", NULL */

/* The rate of update t, counted from 1. */
dv_rate dv_rate_make(double learning_rate, double beta1, double beta2, uint64_t t);

/*
 * One update of `count` elements, of which the first `decay_count` have weight decay. The formulas
 * are those of PyTorch's torch.optim:
 *   adamw  p -= lr * decay * p, then Adam's step (Loshchilov and Hutter 2019)
 *   adam   g += decay * p, then m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
 *          p -= lr * m / (1-b1^t) / (sqrt(v / (1-b2^t)) + epsilon)   (Kingma and Ba 2015)
 *   sgd    g += decay * p, m = momentum m + g, p -= lr * (g + momentum m)   (Nesterov's form)
 * Every gradient is first multiplied by progress->gradient_scale. Pointers are device memory.
 *
 * limits.accumulate batches make one update (dv_progress_begins, dv_progress_ends). All batches but
 * the last only add to the sums of the gradients.
 *
 * Each update moves the average of values and states: average += (1 - keep) (value - average), with
 * keep = dv_average_keep.
 */
typedef struct dv_update {
    dv_optimizer_kind kind;
    int64_t count, decay_count;
    void *values;          /* (count) */
    const void *gradients; /* (count), of one batch */
    void *sums;            /* (count) sums over an update's batches; NULL for one batch */
    void *moment1;         /* (count) */
    void *moment2;         /* (count); NULL for sgd */
    void *rounded;         /* (count) copy of the values in `operands`; NULL writes no copy */
    dv_dtype operands;
    void *average;       /* (count); NULL keeps no averages */
    const void *states;  /* (state_count) running statistics */
    void *state_average; /* (state_count) */
    int64_t state_count;
    double average_decay;
    double weight_decay;
    double beta1, beta2, epsilon; /* beta1 is the momentum of sgd */
    dv_update_limits limits;
    const dv_rate *rates; /* rates of the next updates; the first is for update progress->first */
    dv_progress *progress;
} dv_update;

/* A batch whose metrics are added to `progress`. Pointers are device memory. */
typedef struct dv_batch_metrics {
    const void *logits; /* (count, classes) of `dtype` */
    dv_dtype dtype;
    const void *targets; /* (count, classes) of float; the largest of a row is the truth */
    /* (count) of float; NULL computes the cross-entropy of the truth. A sample whose loss is not
       finite is left out, because its update is skipped or fails. */
    const void *losses;
    int64_t count, classes;
    dv_progress *progress; /* loss_sum, correct and seen are updated */
} dv_batch_metrics;

typedef struct dv_optimizer_impl {
    /* Writes gradient[i] = progress->loss_scale / count, (count) of float: the gradient of the
       scaled mean loss. */
    dv_status (*seed)(dv_context *context, const dv_progress *progress, void *gradient,
                      int64_t count);
    dv_status (*measure)(dv_context *context, const dv_batch_metrics *measure);
    /* Ends a step: the sums, the norm, dv_progress_decide, the update and the average if that
       decides so, and dv_progress_advance. The result depends on the values alone. */
    dv_status (*update)(dv_context *context, const dv_update *update);
} dv_optimizer_impl;

extern const dv_optimizer_impl dv_optimizer_ref;
extern const dv_optimizer_impl dv_optimizer_cpu;
extern const dv_optimizer_impl dv_optimizer_cuda;  /* in the CUDA module */
extern const dv_optimizer_impl dv_optimizer_ref64; /* in the tests */

#endif
