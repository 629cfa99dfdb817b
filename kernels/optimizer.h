/* Launchers over whole collated buffers; see engine/ops/optimizer/optimizer.h. Conventions:
   elementwise.h. Parameters, gradients and moments are float. */
#ifndef DV_KERNELS_OPTIMIZER_H
#define DV_KERNELS_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DV_SUM_PARTS = 1024 };

/* The sum of squares, in double, to sums[0]: not finite where an element is not. sums
   (1 + DV_SUM_PARTS): the sums of the parts lie behind it. Two launches, always in one order. */
int dv_launch_sum_of_squares(const float *values, int64_t count, double *sums, void *stream);

/* What one update does to an element, with the constants of its step. */
typedef struct dv_update_rule {
    bool adam;      /* else sgd with Nesterov's momentum beta1 */
    float scale;    /* of the gradient */
    float l2, keep; /* where there is decay: added to the gradient; what is left of a value */
    float beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon;
    float rate; /* learning rate, for Adam divided by 1 - beta1^t */
    float root; /* 1 / sqrt(1 - beta2^t) */
} dv_update_rule;

/* (count) each, the first decay_count with decay; moment2 is not read for sgd. One launch. */
int dv_launch_update(const dv_update_rule *rule, float *values, const float *gradients,
                     float *moment1, float *moment2, int64_t count, int64_t decay_count,
                     void *stream);

#ifdef __cplusplus
}
#endif

#endif
