/* The learning rate as a function of the number of updates before. */
#ifndef DV_TRAIN_SCHEDULE_H
#define DV_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dv_schedule_kind {
    DV_SCHEDULE_COSINE, /* half a cosine from the peak to the minimum (Loshchilov, Hutter 2017) */
    DV_SCHEDULE_NONE,   /* constant */
    DV_SCHEDULE_COSINE_RESTARTS, /* half a cosine again and again (ibid.), each `factor` times as
                                    long as the one before */
    DV_SCHEDULE_STEP,            /* times `factor` every `period` updates, not below the minimum */
    DV_SCHEDULE_PLATEAU,         /* times `factor` for each of `falls`, not below the minimum */
    DV_SCHEDULE_ONE_CYCLE,       /* up to the peak over `rise` of all updates, down to the minimum
                                    over the rest, both along half a cosine (Smith 2018) */
} dv_schedule_kind;

/* "cosine", "none", "cosine_restarts", "step", "plateau", "one_cycle", NULL */
extern const char *const dv_schedule_names[];

typedef struct dv_schedule {
    int kind; /* dv_schedule_kind */
    double peak, minimum;
    uint64_t
        warmup; /* updates of linear rise from 0, before the schedule proper; not of one_cycle */
    uint64_t total;  /* updates in all; cosine and one_cycle would have the minimum in the next */
    uint64_t period; /* updates: cosine_restarts, until the first restart; step; at least 1 */
    double factor;   /* cosine_restarts, at least 1; step, plateau */
    double rise;     /* one_cycle: share of the updates */
    uint64_t falls;  /* plateau: how often the loss has stopped falling */
} dv_schedule;

double dv_schedule_rate(const dv_schedule *schedule, uint64_t update);

/* What plateau watches: the least loss, and the epochs since. */
typedef struct dv_plateau {
    double best;
    int64_t stale;
} dv_plateau;

/*
 * Takes the loss of an epoch; true where it is time for the rate to fall: it has not got better by
 * more than a share of 1e-4 for more than `patience` epochs. As PyTorch's ReduceLROnPlateau with
 * its defaults. A loss that is not finite is no better than any, and never the best.
 */
bool dv_plateau_watch(dv_plateau *plateau, bool first, double loss, int64_t patience);

#endif
