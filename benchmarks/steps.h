/*
 * Steps of training, or forward passes, of a model on random features: batches that differ are
 * taken in turn.
 *
 * A step is the trainer's own: batch, forward, backward, norm, clipping, update, loss, accuracy.
 *
 * On a device apart from the host a measurement ends with a wait for the device, so `report` steps
 * are measured at once: each of the times and losses is then the mean of so many. `resident` keeps
 * one batch in the device's memory, from where each step copies it; otherwise a batch goes over
 * from the host in each step.
 */
#ifndef DV_BENCHMARKS_STEPS_H
#define DV_BENCHMARKS_STEPS_H

#include "benchmarks/notes.h"
#include "engine/core/context.h"
#include "engine/core/graph.h"

enum { STEPS_MOST = 65536 }; /* times at once */

typedef struct steps_options {
    int64_t batch, threads, rows, frames, classes, seed, report;
    bool inference, time_layers, resident, record;
    int optimizer, precision, algorithms;
    double learning_rate, weight_decay;
    char device[DV_STRING_SIZE], checkpoint[DV_STRING_SIZE], dot[DV_STRING_SIZE];
    int64_t batches; /* different ones; not in the table: 0 stands for 64 */
} steps_options;

extern const dv_field steps_fields[];

typedef struct steps steps;

/* `model`: the section of a configuration; copied. */
dv_status steps_open(const dv_tree *model, const steps_options *options, steps **out);
void steps_close(steps *s);

/* Called before the first step and when all times that were wanted are there: *wanted is what is to
   be measured next, 0 to end. A failure ends the run, too. */
typedef dv_status (*steps_next)(void *user, steps *s, int64_t *wanted);
dv_status steps_run(steps *s, steps_next next, void *user);

/* What was measured last. */
typedef struct steps_times {
    double *seconds; /* (count) of one step */
    double *losses;  /* (count) means of the batches; of training alone */
    int64_t count;
    double processor; /* seconds of all threads per step */
} steps_times;
steps_times steps_measured(const steps *s);

const steps_options *steps_chosen(const steps *s);
const dv_context *steps_context(const steps *s);
int64_t steps_parameters(const steps *s);
int64_t steps_macs(const steps *s); /* multiply-adds of a forward pass */
size_t steps_arena(const steps *s); /* bytes */

/* On a device apart from the host: how the steps came there, since the start. All is well where
   the first one ran call by call and all others were replayed. */
typedef struct steps_counters {
    uint64_t replays, eager;
    size_t nodes; /* launches, copies and fills of a recorded step; 0: none is recorded */
    int64_t skipped;
} steps_counters;
steps_counters steps_count(const steps *s);

/* A checkpoint of the present parameters and moments; what the batches are, with logits where they
   are inferred, as safetensors. */
dv_status steps_save(const steps *s, const char *path);
dv_status steps_save_batches(steps *s, const char *path);

/* What the engine has said so far: algorithms, warnings. */
const notes *steps_notes(const steps *s);

/* DV_EUNSUPPORTED: what was measured so far is not what was to be measured: the engine has warned,
   or steps ran call by call that were to be replayed. */
dv_status steps_check(const steps *s);

/* Writes the recorded step, or pass, to the file `path` for GraphViz. DV_EUNSUPPORTED: none is
   recorded. */
dv_status steps_write_dot(const steps *s, const char *path);

/*
 * The time of one answer, `count` (1 .. STEPS_MOST) times, into `seconds`: one batch of clips, from
 * samples in the host's pageable memory to probabilities there, one after the other. The front-end
 * is the standard one of the configuration, on the host. DV_EARG: a trainer has no answers, or the
 * features are not (rows, frames) of the front-end.
 */
dv_status steps_latency(steps *s, int64_t count, double *seconds);

/* The time of each layer so far. DV_EARG without time_layers. */
dv_status steps_layers(const steps *s, dv_line_fn line, void *user);

#endif
