/*
 * What training knows of itself, in the memory of the device, so that one step follows another
 * without the host: which step it is, the loss scale, and the sums of the metrics. The host writes
 * it at the start of an epoch and reads it when it wants to know.
 */
#ifndef DV_KERNELS_PROGRESS_H
#define DV_KERNELS_PROGRESS_H

#include "kernels/scalar_math.h"

#include <stdbool.h>

typedef struct dv_progress {
    uint64_t step;    /* batches taken before this one: what random numbers are drawn by */
    uint64_t updates; /* steps that have changed the parameters: what the schedule goes by */
    uint64_t first;   /* the value of `updates` whose rate is rates[0] */
    uint64_t skipped; /* steps that have not, since a gradient overflowed under the loss scale */
    uint64_t failed;  /* 1 + the step at which a gradient was not finite and no scale to blame:
                         nothing has changed since; 0: none */

    double loss_scale; /* what the loss is multiplied by before backward; 1: no scaling */
    uint64_t steady;   /* updates since the scale last changed */

    /* Sums since the host last cleared them. */
    double loss_sum; /* over samples */
    double norm_sum; /* of the gradient before clipping, over `updated` updates */
    uint64_t correct, seen, updated;

    /* The update at hand. */
    double gradient_scale; /* what gradients are multiplied by: clipping, the loss scale undone */
    uint32_t applies;      /* 0: this step changes nothing */
} dv_progress;

/* What differs from one update to the next and is known before. */
typedef struct dv_rate {
    double learning_rate;
    double correction1, correction2; /* 1 - beta1^t and 1 - beta2^t, t the update's number from 1 */
} dv_rate;

/*
 * Dynamic loss scaling (Micikevicius et al. 2018, as in PyTorch's GradScaler): a gradient that is
 * not finite halves the scale and skips the update, so many updates in a row without one double it.
 */
typedef struct dv_update_limits {
    double clip_norm;      /* largest norm of the gradient; 0: any */
    bool scaling;          /* the loss scale is dynamic */
    uint64_t growth_after; /* updates */
} dv_update_limits;

#define DV_LOSS_SCALE_START 65536.0
#define DV_LOSS_SCALE_LEAST 6.103515625e-05 /* 2^-14: below it the overflow is not the scale's */
#define DV_LOSS_SCALE_MOST 16777216.0       /* 2^24 */

/* Between the norm and the update: `squares` is the sum of squares of the scaled gradient. */
static inline DV_HD void dv_progress_decide(dv_progress *progress, const dv_update_limits *limits,
                                            double squares)
{
    progress->applies = 0;
    if (progress->failed != 0)
        return;
    double norm = sqrt(squares) / progress->loss_scale;
    if (!(norm <= 1.7976931348623157e308)) { /* infinite or NaN */
        if (limits->scaling && progress->loss_scale > DV_LOSS_SCALE_LEAST) {
            progress->loss_scale *= 0.5;
            progress->steady = 0;
            progress->skipped++;
        } else {
            progress->failed = progress->step + 1;
        }
        return;
    }
    progress->applies = 1;
    progress->norm_sum += norm;
    double clip = limits->clip_norm > 0 && norm > limits->clip_norm ? limits->clip_norm / norm : 1;
    progress->gradient_scale = clip / progress->loss_scale;
}

/* After the update. */
static inline DV_HD void dv_progress_advance(dv_progress *progress, const dv_update_limits *limits)
{
    progress->step++;
    if (progress->applies == 0)
        return;
    progress->updates++;
    progress->updated++;
    progress->steady++;
    if (limits->scaling && progress->steady >= limits->growth_after &&
        progress->loss_scale < DV_LOSS_SCALE_MOST) {
        progress->loss_scale *= 2;
        progress->steady = 0;
    }
}

#endif
