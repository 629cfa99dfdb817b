/*
 * What a training step does beside the graph: the gradient that backward begins with, the metrics,
 * the norm of the gradient and the update of whole collated buffers. Not nodes of the graph, but
 * tested against PyTorch and the reference like them.
 *
 * All of it works on a dv_progress in device memory and asks nothing of the host, so that a device
 * can record a step once and replay it.
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
 * One update of `count` elements; the first `decay_count` have weight decay. Formulas as in
 * PyTorch's torch.optim:
 *   adamw  p -= lr * decay * p, then Adam's step (Loshchilov and Hutter 2019)
 *   adam   g += decay * p, then m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
 *          p -= lr * m / (1-b1^t) / (sqrt(v / (1-b2^t)) + epsilon)   (Kingma and Ba 2015)
 *   sgd    g += decay * p, m = momentum m + g, p -= lr * (g + momentum m)   (Nesterov's form)
 * Every gradient is first multiplied by progress->gradient_scale. Pointers are device memory.
 *
 * limits.accumulate batches make one update (dv_progress_begins, dv_progress_ends): with all but
 * the last of them the gradients are summed up, and nothing else is done.
 *
 * A moving average of values and states follows each update: average += (1 - keep)
 * (value - average), keep as dv_average_keep says.
 */
typedef struct dv_update {
    dv_optimizer_kind kind;
    int64_t count, decay_count;
    void *values;          /* (count) */
    const void *gradients; /* (count), of one batch */
    void *sums;            /* (count) over the batches of an update; NULL where that is one */
    void *moment1;         /* (count) */
    void *moment2;         /* (count); NULL for sgd */
    void *rounded;         /* (count), the values rounded to `operands`; NULL: none */
    dv_dtype operands;
    void *average;       /* (count); NULL: no averages */
    const void *states;  /* (state_count) running statistics */
    void *state_average; /* (state_count) */
    int64_t state_count;
    double average_decay;
    double weight_decay;
    double beta1, beta2, epsilon; /* beta1 is the momentum of sgd */
    dv_update_limits limits;
    const dv_rate *rates; /* of the updates to come, from that of progress->first on */
    dv_progress *progress;
} dv_update;

/* Adds to the metrics of a batch. Device memory. */
typedef struct dv_batch_metrics {
    const void *logits; /* (count, classes) of `dtype` */
    dv_dtype dtype;
    const void *targets; /* (count, classes) of float: the largest is the truth */
    const void *losses;  /* (count) of float; NULL: the cross-entropy of the truth is computed. A
                            sample whose loss is not finite is left out: its update is skipped, or
                            fails */
    int64_t count, classes;
    dv_progress *progress; /* loss_sum, correct, seen */
} dv_batch_metrics;

typedef struct dv_optimizer_impl {
    /* gradient[i] = progress->loss_scale / count: of the mean loss, scaled; (count) of float. */
    dv_status (*seed)(dv_context *context, const dv_progress *progress, void *gradient,
                      int64_t count);
    dv_status (*measure)(dv_context *context, const dv_batch_metrics *measure);
    /* Ends a step: the sums, the norm, dv_progress_decide, the update where it applies, the
       average, dv_progress_advance. The result depends on the values alone. */
    dv_status (*update)(dv_context *context, const dv_update *update);
} dv_optimizer_impl;

extern const dv_optimizer_impl dv_optimizer_ref;
extern const dv_optimizer_impl dv_optimizer_cpu;
extern const dv_optimizer_impl dv_optimizer_cuda;  /* of the CUDA module */
extern const dv_optimizer_impl dv_optimizer_ref64; /* of the tests */

#endif
