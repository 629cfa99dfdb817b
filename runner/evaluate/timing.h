/*
 * Measures work: warm, many times, quantiles of the times.
 *
 *     dv_times times;
 *     DV_TRY(dv_time_work(step, user, &(dv_time_options){.seconds = 1}, &times));
 *     printf("%.1f us\n", 1e6 * times.median);
 */
#ifndef DV_EVALUATE_TIMING_H
#define DV_EVALUATE_TIMING_H

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/status.h"
#include "engine/base/tree.h"

/* Seconds; quantiles of the sorted times (nearest rank: always one of them). */
typedef struct dv_times {
    double median, low, high; /* low, high: the quartiles */
    double p99, minimum;
    int64_t count;
} dv_times;

/* Sorts `seconds` (count >= 1). */
dv_times dv_times_of(double *seconds, int64_t count);

typedef struct dv_time_options {
    double warm, seconds; /* at least this long, the former not counted; 0: 0.2 and 1 */
    int64_t least, most;  /* repetitions; 0: 5 and 100,000 */
    /* Before each repetition, not timed: rotates or clears caches. May be NULL. */
    void (*prepare)(void *user);
} dv_time_options;

/* `work` is done until both the time and the least number are reached, or the greatest number. A
   failure of it ends the measurement. */
dv_status dv_time_work(dv_status (*work)(void *user), void *user, const dv_time_options *options,
                       dv_times *out);

/*
 * The forward pass of a model, with initial weights, on normal features in a plan of inference:
 * from features on the host to logits on the host.
 */
typedef struct dv_forward dv_forward;

typedef struct dv_forward_options {
    const dv_tree *model; /* the section `model`, members of ensembles resolved */
    int64_t rows, frames, classes, batch;
    const char *device; /* "cpu", "cuda:0", ... */
    int threads;        /* 0: as many as there are physical cores */
    dv_log log;
} dv_forward_options;

/* *out is NULL on failure. `model` is not needed any more afterwards. */
dv_status dv_forward_open(const dv_forward_options *options, dv_forward **out);
void dv_forward_close(dv_forward *forward);

dv_status dv_forward_run(void *forward); /* as dv_time_work wants it */

const float *dv_forward_logits(const dv_forward *forward); /* (batch, classes) of the last run */
int64_t dv_forward_macs(const dv_forward *forward);        /* multiply-adds of the whole batch */
int64_t dv_forward_parameters(const dv_forward *forward);  /* trainable */

/* Its nodes, and with graph->params its parameters, to be read and to be replaced. */
const struct dv_graph *dv_forward_graph(const dv_forward *forward);

#endif
