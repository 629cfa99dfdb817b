/* The learning rate as a function of the number of previous updates. */
#ifndef DV_TRAIN_SCHEDULE_H
#define DV_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dv_schedule_kind {
    DV_SCHEDULE_COSINE, /* half a cosine from the peak to the minimum (Loshchilov, Hutter 2017) */
    DV_SCHEDULE_NONE,   /* constant */
    DV_SCHEDULE_COSINE_RESTARTS, /* repeated half cosines (ibid.), each `factor` times as long as
                                    the one before */
    DV_SCHEDULE_STEP,            /* times `factor` every `period` updates, at least the minimum */
    DV_SCHEDULE_PLATEAU,         /* times `factor` for each of `falls`, at least the minimum */
    DV_SCHEDULE_ONE_CYCLE,       /* half a cosine up to the peak in the share `rise` of all updates,
                                    then half a cosine down to the minimum (Smith 2018) */
} dv_schedule_kind;

/* "cosine", "none", "cosine_restarts", "step", "plateau", "one_cycle", NULL */
extern const char *const dv_schedule_names[];

typedef struct dv_schedule {
    int kind; /* dv_schedule_kind */
    double peak, minimum;
    /* Updates of a linear rise from 0 before the schedule proper; ignored by one_cycle. */
    uint64_t warmup;
    /* Updates of the training. cosine and one_cycle reach the minimum right after the last one. */
    uint64_t total;
    uint64_t period; /* at least 1 update: between two steps, or until the first restart */
    double factor;   /* for cosine_restarts (at least 1), step and plateau */
    double rise;     /* for one_cycle: share of the updates */
    uint64_t falls;  /* for plateau: how often the loss has stopped falling */
} dv_schedule;

double dv_schedule_rate(const dv_schedule *schedule, uint64_t update);

/* The state of the schedule plateau. */
typedef struct dv_plateau {
    double best;   /* smallest loss */
    int64_t stale; /* epochs since then, or since the rate fell */
} dv_plateau;

/*
 * Takes the loss of an epoch. Returns true if the rate should fall: the loss has not improved by a
 * share of 1e-4 for more than `patience` epochs, as in PyTorch's ReduceLROnPlateau with its
 * defaults. A loss that is not finite is never an improvement.
 */
bool dv_plateau_watch(dv_plateau *plateau, bool first, double loss, int64_t patience);

#endif
