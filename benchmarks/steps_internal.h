/* What the files of the steps share: steps.c (making, training, what is asked about) and
   steps_infer.c (the forward pass). */
#ifndef DV_BENCHMARKS_STEPS_INTERNAL_H
#define DV_BENCHMARKS_STEPS_INTERNAL_H

#include "benchmarks/notes.h"
#include "benchmarks/steps.h"
#include "engine/layers/network.h"
#include "engine/train/trainer.h"

/* From samples to probabilities, clip by clip: what a latency is measured of. */
typedef struct steps_listener steps_listener;

struct steps {
    steps_options chosen;
    notes said;
    dv_context *context;
    dv_precision precision; /* of inference */
    dv_tree *model;
    float *features;                            /* (batches, batch, rows, frames) */
    float *targets;                             /* (batches, batch, classes) */
    int64_t report;                             /* steps to a time */
    void *resident_features, *resident_targets; /* device memory; NULL: batches are the host's */
    dv_params *params;                          /* the trainer's or the network's */
    /* Training. */
    dv_source source;
    dv_trainer *trainer;
    bool stop;
    double loss_before; /* the trainer's sum before this step */
    /* Inference. */
    dv_network network;
    float *logits; /* (batch, classes) */
    uint64_t batch_number;
    void *recording;         /* of the forward pass; NULL: none */
    steps_counters counters; /* of inference */
    steps_listener *listener;
    /* What is measured at present. */
    steps_next next;
    void *user;
    int64_t wanted, done;     /* times */
    double *seconds, *losses; /* (STEPS_MOST) of one step */
    double step_start, processor_start, processor;
    dv_status failure; /* of next */
    char problem[512];
};

static inline int64_t steps_feature_count(const steps *s)
{
    return s->chosen.batch * s->chosen.rows * s->chosen.frames;
}

static inline int64_t steps_target_count(const steps *s)
{
    return s->chosen.batch * s->chosen.classes;
}

/* The first batch in the memory of a device apart from the host; DV_EARG elsewhere. The parameters
   are there. */
dv_status steps_make_resident(steps *s);

/* Counts the steps of a report and, where all are there that were wanted, asks for more. */
void steps_counted(steps *s, double loss);

dv_status steps_make_inference(steps *s);
/* Forward passes until it is to stop. */
dv_status steps_infer(steps *s);
/* features (batch, rows, frames) -> logits (batch, classes), from the host to the host. */
dv_status steps_infer_batch(steps *s, const float *features, float *logits);
void steps_listener_free(steps_listener *listener);

#endif
