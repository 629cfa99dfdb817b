/*
 * Times training steps, or forward passes, of a model on random features. Different batches are
 * taken in turn.
 *
 * A step is the trainer's own: batch, forward, backward, norm, clipping, update, loss, accuracy.
 *
 * On a device with memory of its own a measurement ends with a wait for the device. `report` steps
 * are therefore measured at once, and each time and loss is their mean. `resident` keeps one batch
 * in the device's memory, and each step copies it from there; otherwise each step copies a batch
 * from the host.
 */
#ifndef DV_BENCHMARKS_STEPS_H
#define DV_BENCHMARKS_STEPS_H

#include "benchmarks/notes.h"
#include "engine/core/context.h"
#include "engine/core/graph.h"

enum { STEPS_MOST = 65536 }; /* times in one measurement */

typedef struct steps_options {
    int64_t batch, threads, rows, frames, classes, seed, report;
    bool inference, time_layers, resident, record;
    int optimizer, precision, algorithms;
    double learning_rate, weight_decay;
    char device[DV_STRING_SIZE], checkpoint[DV_STRING_SIZE], dot[DV_STRING_SIZE];
    int64_t batches; /* number of different batches; 0 stands for 64. Not in the table of fields */
} steps_options;

extern const dv_field steps_fields[];

typedef struct steps steps;

/* `model` is the section of a configuration; it is copied. */
dv_status steps_open(const dv_tree *model, const steps_options *options, steps **out);
void steps_close(steps *s);

/* Called before the first step and whenever a measurement is complete. Sets *wanted to the number
   of steps to measure next, or to 0 to end. A failure ends the run, too. */
typedef dv_status (*steps_next)(void *user, steps *s, int64_t *wanted);
dv_status steps_run(steps *s, steps_next next, void *user);

/* The last measurement. */
typedef struct steps_times {
    double *seconds; /* (count) wall time of one step */
    double *losses;  /* (count) mean loss of the batch, in training only */
    int64_t count;
    double processor; /* seconds per step, summed over all threads */
} steps_times;
steps_times steps_measured(const steps *s);

const steps_options *steps_chosen(const steps *s);
const dv_context *steps_context(const steps *s);
int64_t steps_parameters(const steps *s);
int64_t steps_macs(const steps *s); /* multiply-adds of a forward pass */
size_t steps_arena(const steps *s); /* bytes */

/* How the steps ran on a device with memory of its own, counted since the start. The first step
   should run call by call (eager) and all others as replays. */
typedef struct steps_counters {
    uint64_t replays, eager;
    size_t nodes;    /* launches, copies and fills of the recorded step, 0 without one */
    int64_t skipped; /* updates left out because of an overflow */
} steps_counters;
steps_counters steps_count(const steps *s);

/* Write the present parameters and moments as a checkpoint, and all batches as safetensors, with
   their logits in inference. */
dv_status steps_save(const steps *s, const char *path);
dv_status steps_save_batches(steps *s, const char *path);

/* The engine's messages so far: algorithms and warnings. */
const notes *steps_notes(const steps *s);

/* DV_EUNSUPPORTED if something else was measured than was asked for: the engine has warned, or
   steps ran call by call that should have been replayed. */
dv_status steps_check(const steps *s);

/* Writes the recorded step, or pass, to the file `path` for GraphViz. DV_EUNSUPPORTED if none is
   recorded. */
dv_status steps_write_dot(const steps *s, const char *path);

/*
 * Times `count` (1 .. STEPS_MOST) answers, one after the other, into `seconds`. An answer takes one
 * batch of clips from samples in the host's pageable memory to probabilities there. The front-end
 * has the default configuration and runs on the host. DV_EARG without `inference`, or if the
 * front-end does not make (rows, frames) features.
 */
dv_status steps_latency(steps *s, int64_t count, double *seconds);

/* Writes a table of the time of each layer so far. DV_EARG without time_layers. */
dv_status steps_layers(const steps *s, dv_line_fn line, void *user);

#endif
