/*
 * The progress of a training: its step, the loss scale and the sums of the metrics. It is in the
 * memory of the device, so that one step follows another without the host. The host writes it at
 * the start of an epoch, and reads it when it needs to.
 */
#ifndef DV_FORMULAS_PROGRESS_H
#define DV_FORMULAS_PROGRESS_H

#include "kernels/formulas/scalar_math.h"

#include <stdbool.h>

/*
 * The counts and sums of a training, with their names and help. The lists make the members of
 * dv_progress on the device and of dv_train_state on the host, the fields of a checkpoint, and the
 * copies between them. A COUNT is an integer, a SUM is a double. Each epoch clears the first list.
 */
#define DV_EPOCH_LIST(COUNT, SUM)                                                                  \
    SUM(loss_sum, "loss of the samples that were seen in the unfinished epoch")                    \
    COUNT(correct, "right answers among them")                                                     \
    COUNT(seen, "their number; a sample whose loss overflowed is left out")                        \
    SUM(norm_sum, "norms of the gradient before clipping, of the updates of the unfinished epoch") \
    COUNT(updated, "the number of these updates")
#define DV_PROGRESS_LIST(COUNT, SUM)                                                               \
    COUNT(step, "batches taken before this one: what random numbers are drawn by")                 \
    DV_EPOCH_LIST(COUNT, SUM)                                                                      \
    COUNT(skipped, "updates left out, since a gradient overflowed under the loss scale")           \
    SUM(loss_scale, "what the loss is multiplied by before backward; 1: no scaling")               \
    COUNT(steady, "updates since the loss scale last changed")

typedef struct dv_progress {
#define DV_COUNT(name, help) uint64_t name;
#define DV_SUM(name, help) double name;
    DV_PROGRESS_LIST(DV_COUNT, DV_SUM)
#undef DV_COUNT
#undef DV_SUM
    uint64_t updates; /* updates of the parameters; they drive the schedule */
    uint64_t first;   /* the value of `updates` whose rate is rates[0] */
    uint64_t failed;  /* 1 + the step at which a gradient was not finite though the loss scale was
                         not too large, after which nothing changes; 0 if there was none */

    /* The current update. */
    double gradient_scale; /* factor of gradients, for clipping and to undo the loss scale */
    uint32_t applies;      /* 0 if this step changes nothing */
} dv_progress;

/* The numbers of an update that are known in advance. */
typedef struct dv_rate {
    double learning_rate;
    double correction1, correction2; /* 1 - beta1^t and 1 - beta2^t for update t, counted from 1 */
} dv_rate;

/*
 * Dynamic loss scaling (Micikevicius et al. 2018, as in PyTorch's GradScaler). A gradient that is
 * not finite halves the scale and skips the update. `growth_after` updates in a row without one
 * double the scale.
 */
typedef struct dv_update_limits {
    double clip_norm;      /* largest norm of the gradient; 0 for no limit */
    bool scaling;          /* the loss scale is dynamic */
    uint64_t growth_after; /* updates */
    uint64_t accumulate;   /* batches per update, whose gradients are averaged; 0 stands for 1 */
} dv_update_limits;

#define DV_LOSS_SCALE_START 65536.0
#define DV_LOSS_SCALE_LEAST 6.103515625e-05 /* 2^-14; an overflow below has another cause */
#define DV_LOSS_SCALE_MOST 16777216.0       /* 2^24 */

/*
 * Updates of several batches. The first batch begins the sum of gradients, the others add to it,
 * and the update follows the last one. As in PyTorch's GradScaler the loss scale stays the same in
 * between. One gradient that is not finite makes the sum not finite, so the whole update is left
 * out.
 */
static inline DV_HD bool dv_progress_begins(const dv_progress *progress,
                                            const dv_update_limits *limits)
{
    return limits->accumulate <= 1 || progress->step % limits->accumulate == 0;
}

static inline DV_HD bool dv_progress_ends(const dv_progress *progress,
                                          const dv_update_limits *limits)
{
    return limits->accumulate <= 1 || (progress->step + 1) % limits->accumulate == 0;
}

static inline DV_HD bool dv_is_finite(double value)
{
    return value >= -1.7976931348623157e308 && value <= 1.7976931348623157e308;
}

/* Decides on the update, between the norm and the update. `squares` is the sum of squares of the
   scaled gradient, summed over all batches of the update. */
static inline DV_HD void dv_progress_decide(dv_progress *progress, const dv_update_limits *limits,
                                            double squares)
{
    progress->applies = 0;
    if (progress->failed != 0 || !dv_progress_ends(progress, limits))
        return;
    double scale = progress->loss_scale * (double)(limits->accumulate > 1 ? limits->accumulate : 1);
    double norm = sqrt(squares) / scale;
    if (!dv_is_finite(norm)) {
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
    progress->gradient_scale = clip / scale;
}

/* The share of itself that a moving average of the weights keeps in update t, counted from 1. It is
   smaller at the beginning, as in TensorFlow's ExponentialMovingAverage with num_updates. */
static inline DV_HD double dv_average_keep(double decay, uint64_t t)
{
    double early = (1.0 + (double)t) / (10.0 + (double)t);
    return early < decay ? early : decay;
}

/* Goes on to the next step, after the update. */
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
