/* Shared by steps.c (making, training, queries) and steps_infer.c (the forward pass). */
#ifndef DV_BENCHMARKS_STEPS_INTERNAL_H
#define DV_BENCHMARKS_STEPS_INTERNAL_H

#include "benchmarks/notes.h"
#include "benchmarks/steps.h"
#include "engine/layers/network.h"
#include "engine/train/trainer.h"

/* Front-end and buffers of an answer, from samples to probabilities, for steps_latency. */
typedef struct steps_listener steps_listener;

struct steps {
    steps_options chosen;
    notes said;
    dv_context *context;
    dv_precision precision; /* for inference */
    dv_tree *model;
    float *features;                            /* (batches, batch, rows, frames) */
    float *targets;                             /* (batches, batch, classes) */
    int64_t report;                             /* steps per time */
    void *resident_features, *resident_targets; /* device memory; NULL without `resident` */
    dv_params *params;                          /* the trainer's or the network's */
    /* Training. */
    dv_source source;
    dv_trainer *trainer;
    bool stop;
    double loss_before; /* the trainer's sum of losses before this step */
    /* Inference. */
    dv_network network;
    float *logits; /* (batch, classes) */
    uint64_t batch_number;
    void *recording;         /* the recorded forward pass, or NULL */
    steps_counters counters; /* for inference; a trainer counts by itself */
    steps_listener *listener;
    /* The present measurement. */
    steps_next next;
    void *user;
    int64_t wanted, done;     /* numbers of times */
    double *seconds, *losses; /* (STEPS_MOST) values of one step */
    double step_start, processor_start, processor;
    dv_status failure; /* the status that `next` returned */
    char problem[512]; /* its message */
};

static inline int64_t steps_feature_count(const steps *s)
{
    return s->chosen.batch * s->chosen.rows * s->chosen.frames;
}

static inline int64_t steps_target_count(const steps *s)
{
    return s->chosen.batch * s->chosen.classes;
}

/* Copies the first batch into the device's memory. s->params must exist. DV_EARG if the device has
   no memory of its own. */
dv_status steps_make_resident(steps *s);

/* Adds the time and loss of `report` steps and, when the measurement is complete, asks for the
   next. */
void steps_counted(steps *s, double loss);

dv_status steps_make_inference(steps *s);
/* Runs forward passes until s->stop. */
dv_status steps_infer(steps *s);
/* features (batch, rows, frames) -> logits (batch, classes), from the host to the host. */
dv_status steps_infer_batch(steps *s, const float *features, float *logits);
void steps_listener_free(steps_listener *listener);

#endif
