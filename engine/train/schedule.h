/* The learning rate as a function of the step. */
#ifndef DV_TRAIN_SCHEDULE_H
#define DV_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum dv_schedule_kind {
    DV_SCHEDULE_COSINE, /* half a cosine from the peak to the minimum (Loshchilov, Hutter 2017) */
    DV_SCHEDULE_NONE,   /* constant */
} dv_schedule_kind;

extern const char *const dv_schedule_names[]; /* "cosine", "none", NULL */

typedef struct dv_schedule {
    int kind; /* dv_schedule_kind */
    double peak, minimum;
    uint64_t warmup; /* steps of linear rise from 0, before the schedule proper */
    uint64_t total;  /* steps in all; the last one (total - 1) has the minimum */
} dv_schedule;

double dv_schedule_rate(const dv_schedule *schedule, uint64_t step);

#endif
