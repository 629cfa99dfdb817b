/* Batch normalisation (Ioffe and Szegedy 2015), with the addition and activation that follow it. */
#ifndef DV_OPS_BATCHNORM_H
#define DV_OPS_BATCHNORM_H

#include "engine/core/op.h"

/*
 * x (N,H,W,C) [, residual (N,H,W,C)] -> y = activation(weight (x - mean) / sqrt(var + epsilon)
 * + bias [+ residual]). Training: mean and biased variance of the batch; running = (1 - momentum)
 * running + momentum batch, with the unbiased variance, as PyTorch. Inference: the running ones.
 * weight, bias (C) without decay; states running_mean, running_var (C).
 */
typedef struct dv_batchnorm_attr {
    double epsilon;
    double momentum;
    int activation; /* dv_activation_kind, any */
} dv_batchnorm_attr;

/* For plan: fails where a batch has one value per channel only, whose variance says nothing. */
dv_status dv__batchnorm_check(const dv_step *step);

#endif
