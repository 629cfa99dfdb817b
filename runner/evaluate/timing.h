/*
 * Measures the time of repeated work: warms up, repeats it, and takes quantiles of the times.
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

/* Quantiles of the times in seconds, by nearest rank, so that each is one of the times. */
typedef struct dv_times {
    double median, low, high; /* low, high: the quartiles */
    double p99, minimum;
    int64_t count;
} dv_times;

/* Sorts `seconds` (count >= 1) and takes the quantiles. */
dv_times dv_times_of(double *seconds, int64_t count);

typedef struct dv_time_options {
    double warm, seconds; /* least duration of warming up and of measuring; 0 is 0.2 s and 1 s */
    int64_t least, most;  /* limits of the number of repetitions; 0 is 5 and 100,000 */
    /* Called before each repetition and not timed, to rotate or clear caches. May be NULL. */
    void (*prepare)(void *user);
} dv_time_options;

/* Repeats `work` until both `seconds` and `least` are reached, or `most` is. A failure of `work`
   ends the measurement. */
dv_status dv_time_work(dv_status (*work)(void *user), void *user, const dv_time_options *options,
                       dv_times *out);

/*
 * The forward pass of a model with initial weights, from features on the host to logits on the
 * host, in a plan for inference. The features are normally distributed random numbers.
 */
typedef struct dv_forward dv_forward;

typedef struct dv_forward_options {
    const dv_tree *model; /* the section `model`, with members of ensembles resolved */
    int64_t rows, frames, classes, batch;
    const char *device; /* "cpu", "cuda:0", ... */
    int threads;        /* 0 is one per physical core */
    dv_log log;
} dv_forward_options;

/* Builds the network and its plan. *out is NULL on failure. options->model may be freed after the
   call. */
dv_status dv_forward_open(const dv_forward_options *options, dv_forward **out);
void dv_forward_close(dv_forward *forward);

dv_status dv_forward_run(void *forward); /* a `work` for dv_time_work */

const float *dv_forward_logits(const dv_forward *forward); /* (batch, classes) of the last run */
int64_t dv_forward_macs(const dv_forward *forward);        /* multiply-adds of the whole batch */
int64_t dv_forward_parameters(const dv_forward *forward);  /* trainable */

/* The graph of the network. Its parameters, graph->params, may be read and replaced. */
const struct dv_graph *dv_forward_graph(const dv_forward *forward);

#endif
