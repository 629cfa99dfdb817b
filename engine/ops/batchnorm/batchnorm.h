/* Batch normalisation (Ioffe and Szegedy 2015), with the addition and activation that follow it. */
#ifndef DV_OPS_BATCHNORM_H
#define DV_OPS_BATCHNORM_H

#include "engine/base/status.h"
#include "engine/core/graph.h"

/*
 * x (N,H,W,C) [, residual (N,H,W,C)] -> y = activation(weight (x - mean) / sqrt(var + epsilon)
 * + bias [+ residual]). Training: mean and biased variance of the batch; running = (1 - momentum)
 * running + momentum batch, with the unbiased variance, as PyTorch. Inference, and where the weight
 * is frozen: the running ones, which stay. weight, bias (C) without decay; states running_mean,
 * running_var (C).
 */
typedef struct dv_batchnorm_attr {
    double epsilon;
    double momentum;
    int activation; /* dv_activation_kind, any */
} dv_batchnorm_attr;

/* The statistics are the batch's, and move the running ones. */
static inline bool dv__batchnorm_by_batch(const dv_node_step *step)
{
    return step->pass->training && !step->frozen;
}

/* For plan: fails where a batch has one value per channel only, whose variance says nothing. */
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
