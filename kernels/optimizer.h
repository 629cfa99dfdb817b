/* Launchers for the part of a training step outside the graph; see engine/optimizer/optimizer.h,
   and elementwise.h for the conventions. Parameters, gradients and moments are float. */
#ifndef DV_KERNELS_OPTIMIZER_H
#define DV_KERNELS_OPTIMIZER_H

#include "kernels/formulas/dtype.h"
#include "kernels/formulas/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* gradient[i] = progress->loss_scale / count */
int dv_launch_seed(const dv_progress *progress, float *gradient, int64_t count, void *stream);

/* Adds the losses, right answers and number of samples to the progress. logits (count, classes)
   are of `dtype`, targets (count, classes) float. With losses (count) samples whose loss is not
   finite are left out; without (NULL) the loss is the cross-entropy of the largest target. */
int dv_launch_measure(dv_dtype dtype, const void *logits, const float *targets, const float *losses,
                      int64_t count, int64_t classes, dv_progress *progress, void *stream);

/* One update. The members mean the same as in dv_update. */
typedef struct dv_update_call {
    bool adam, decoupled; /* without `adam` it is SGD with Nesterov's momentum beta1 */
    int64_t count, decay_count;
    float *values;
    const float *gradients;
    float *sums;              /* sums over several batches; NULL if every batch has its update */
    float *moment1, *moment2; /* SGD does not read moment2 */
    dv_dtype operands;        /* the type of `rounded` */
    void *rounded;            /* NULL if rounded values are not kept */
    float *average;           /* NULL if there are no averages */
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

/* Makes three launches. Two compute the sums and the norm; the second of them also decides on the
   update and advances the progress. The third updates values and averages. It returns at once if
   this batch has no update. */
int dv_launch_update(const dv_update_call *call, void *stream);

#ifdef __cplusplus
}
#endif

#endif
