/*
 * What happens to whole collated buffers after backward: the norm of the gradient and the update.
 * Not nodes of the graph, but tested against PyTorch and the reference like them.
 */
#ifndef DV_OPS_OPTIMIZER_H
#define DV_OPS_OPTIMIZER_H

#include "engine/core/status.h"

#include <stdint.h>

typedef struct dv_context dv_context;

typedef enum dv_optimizer_kind { DV_ADAMW, DV_ADAM, DV_SGD, DV_OPTIMIZER_COUNT } dv_optimizer_kind;

extern const char *const dv_optimizer_names[]; /* "adamw", "adam", "sgd", NULL */

/*
 * One update of `count` elements; the first `decay_count` have weight decay. Formulas as in
 * PyTorch's torch.optim:
 *   adamw  p -= lr * decay * p, then Adam's step (Loshchilov and Hutter 2019)
 *   adam   g += decay * p, then m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
 *          p -= lr * m / (1-b1^t) / (sqrt(v / (1-b2^t)) + epsilon)   (Kingma and Ba 2015)
 *   sgd    g += decay * p, m = momentum m + g, p -= lr * (g + momentum m)   (Nesterov's form)
 * Every gradient is first multiplied by `gradient_scale` (clipping, loss scale).
 */
typedef struct dv_update {
    dv_optimizer_kind kind;
    int64_t count, decay_count;
    void *values;          /* (count) */
    const void *gradients; /* (count) */
    void *moment1;         /* (count) */
    void *moment2;         /* (count); NULL for sgd */
    double learning_rate, weight_decay;
    double beta1, beta2, epsilon; /* beta1 is the momentum of sgd */
    double gradient_scale;
    uint64_t t; /* number of this update, from 1 */
} dv_update;

typedef struct dv_optimizer_impl {
    /* The sum of squares in double; NaN or infinity where an element is not finite. The result
       does not depend on anything but the values and the number of threads. */
    dv_status (*sum_of_squares)(dv_context *context, const void *values, int64_t count,
                                double *result);
    dv_status (*update)(dv_context *context, const dv_update *update);
} dv_optimizer_impl;

extern const dv_optimizer_impl dv__optimizer_ref;
extern const dv_optimizer_impl dv__optimizer_cpu;

#endif
