/* Batch normalisation (Ioffe and Szegedy 2015) with an optional sum and activation after it. */
#ifndef DV_OPS_BATCHNORM_H
#define DV_OPS_BATCHNORM_H

#include "engine/base/status.h"
#include "engine/core/graph.h"

/*
 * x (N,H,W,C) [, residual (N,H,W,C)] -> y = activation(weight (x - mean) / sqrt(var + epsilon)
 * + bias [+ residual]).
 *
 * Training uses the mean and the biased variance of the batch, and updates the running statistics
 * as PyTorch does: running = (1 - momentum) running + momentum batch, with the unbiased variance.
 * Inference uses the running statistics, and so does training if the weight is frozen; they do not
 * change then.
 *
 * The parameters weight and bias (C) have no weight decay. The states are running_mean and
 * running_var (C).
 */
typedef struct dv_batchnorm_attr {
    double epsilon;
    double momentum;
    int activation; /* dv_activation_kind, any */
} dv_batchnorm_attr;

/* Whether the node uses the batch's statistics and updates the running ones. */
static inline bool dv__batchnorm_by_batch(const dv_node_step *step)
{
    return step->pass->training && !step->frozen;
}

/* Called by plan: training fails if a channel has a single value in a batch, without a variance. */
static inline dv_status dv__batchnorm_check(const dv_node_step *step)
{
    if (step->training && !step->frozen && dv_shape_rows(step->node->shape) == 1)
        return DV_FAIL(DV_ESHAPE,
                       "batchnorm '%s': training needs more than one value per channel, the input "
                       "has shape %s: take a larger batch",
                       step->node->name, dv_shape_format(step->node->shape).text);
    return DV_OK;
}

#endif
