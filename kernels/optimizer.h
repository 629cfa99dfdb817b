/* Launchers of what a training step does beside the graph; see engine/optimizer/optimizer.h.
   Conventions: elementwise.h. Parameters, gradients and moments are float. */
#ifndef DV_KERNELS_OPTIMIZER_H
#define DV_KERNELS_OPTIMIZER_H

#include "kernels/formulas/dtype.h"
#include "kernels/formulas/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* gradient[i] = progress->loss_scale / count */
int dv_launch_seed(const dv_progress *progress, float *gradient, int64_t count, void *stream);

/* Adds loss, right answers and their number. logits (count, classes) of `dtype`, targets the same
   of float; losses (count), NULL: the cross-entropy of the largest target. Samples whose loss
   is given and not finite are left out. */
int dv_launch_measure(dv_dtype dtype, const void *logits, const float *targets, const float *losses,
                      int64_t count, int64_t classes, dv_progress *progress, void *stream);

/* One update; the same meaning as in dv_update. */
typedef struct dv_update_call {
    bool adam, decoupled; /* sgd with Nesterov's momentum beta1 where not adam */
    int64_t count, decay_count;
    float *values;
    const float *gradients;
    float *sums;              /* NULL: every batch has its update */
    float *moment1, *moment2; /* moment2 is not read for sgd */
    dv_dtype operands;        /* the type of `rounded` */
    void *rounded;            /* NULL: not kept */
    float *average;           /* NULL: no averages */
    const float *states;
    float *state_average;
    int64_t state_count;
    double average_decay;
    double weight_decay, beta1, beta2, epsilon;
    dv_update_limits limits;
    const dv_rate *rates;
    dv_progress *progress;
    void *scratch; /* DV_UPDATE_SCRATCH bytes, 8-byte aligned */
} dv_update_call;

enum { DV_SUM_PARTS = 1024, DV_UPDATE_SCRATCH = (DV_SUM_PARTS + 16) * 8 };

/* The sums and the norm in two launches, the second of which also decides and advances; the update
   and the averages in one, which returns at once where this batch has no update. */
int dv_launch_update(const dv_update_call *call, void *stream);

#ifdef __cplusplus
}
#endif

#endif
