/* Declarations shared by the files of the trainer: trainer.c (creation, epochs, the run), step.c
   (the device's part), teacher.c and config.c. */
#ifndef DV_TRAIN_INTERNAL_H
#define DV_TRAIN_INTERNAL_H

#include "engine/layers/network.h"
#include "engine/optimizer/optimizer.h"
#include "engine/train/trainer.h"

typedef struct dv_teaching dv_teaching;

/* The steps' data in device memory, beside plans and parameters. */
typedef struct dv_device_state {
    dv_progress *progress; /* progress of the training */
    dv_progress *measured; /* progress of a validation, which only uses the sums */
    dv_rate *rates;        /* (updates of an epoch + 1) from progress->first on */
    int32_t *order;        /* (train_count) the clips of this epoch, shuffled */
    int32_t *validation;   /* (validation_count) the clips of validation */
    float *targets;        /* (batch, classes) targets of validation */
} dv_device_state;

struct dv_trainer {
    dv_context view;     /* view of the caller's context, in the configuration's arithmetic */
    dv_context *context; /* &view, in which the trainer's objects are made */
    dv_precision precision;
    dv_train_config config;
    const dv_source *source;
    dv_schedule schedule;
    int64_t batch;
    uint64_t steps_per_epoch; /* a multiple of accumulate */
    uint64_t accumulate;      /* batches of an update */
    dv_params *params;
    dv_network train, validation; /* `train` continues from the logits to the loss */
    int loss;                     /* value of `train`: the loss */
    int teacher;                  /* value of `train`: the teachers' logits, with a teacher */
    dv_teaching *teaching;        /* NULL without a teacher */
    dv_train_state state;
    dv_device_state device;
    int64_t *order;            /* (train_count) as on the device */
    int32_t *places;           /* host memory for uploads of clip indices */
    dv_rate *rates;            /* host memory for uploads of rates */
    float *features, *targets; /* one batch, if the front-end makes it */
    void *recording;           /* recorded step; NULL if none is recorded */
    bool unrecordable;         /* recording was tried and failed */
    bool finishing;            /* the caller has said that this epoch is the last one */
    dv_train_counters counters;
    double last_save, epoch_start; /* seconds of the monotonic clock */
};

static inline uint64_t dv__updates_per_epoch(const dv_trainer *trainer)
{
    return trainer->steps_per_epoch / trainer->accumulate;
}

/* The number of updates that have changed the parameters so far. */
static inline uint64_t dv__updates(const dv_trainer *trainer)
{
    return (uint64_t)trainer->state.step / trainer->accumulate - (uint64_t)trainer->state.skipped;
}

/* The buffer that is validated and kept. */
static inline dv_buffer dv__result(const dv_trainer *trainer)
{
    return trainer->config.ema_decay > 0 ? DV_BUFFER_AVERAGE : DV_BUFFER_VALUES;
}

/* The learning rate of the update after `update` updates. */
double dv__rate_of(const dv_trainer *trainer, uint64_t update);

/* ---- config.c ---- */

/* Sets the arithmetic of the trainer's context, and the precision, as configured. If the device
   does not have one of them, the log says so and FP32 is used. */
dv_status dv__set_arithmetic(dv_trainer *trainer);

/* ---- teacher.c ---- */

/* Makes trainer->teaching, which stays NULL without a teacher. The trainer frees it, also on
   failure. */
dv_status dv__teaching_create(dv_trainer *trainer, const dv_teacher *teachers, int count);
void dv__teaching_free(dv_teaching *teaching);

/* Before a step, if the front-end makes batches on the host: makes the batch of the clips at
   `places` for the teachers with features of their own. Fills trainer->targets. */
dv_status dv__teaching_load(dv_teaching *teaching, const int64_t *places, uint64_t step);

/* Within a step, after the student's batch: computes the teachers' logits, an input of the student.
   `request` made the student's batch on the device. */
dv_status dv__teaching_ask(dv_teaching *teaching, const dv_batch_request *request);

/* ---- step.c ---- */

/* Allocates the device memory of the steps. */
dv_status dv__steps_allocate(dv_trainer *trainer);
void dv__steps_free(dv_trainer *trainer);

/* Uploads the state, the order and the rates at the start of an epoch. */
dv_status dv__steps_begin(dv_trainer *trainer);

/* Runs one training step, or only enqueues it if the device enqueues work. */
dv_status dv__step_run(dv_trainer *trainer);

/* Waits for the steps and updates the state. Fails with DV_ENUMERIC for a gradient that is not
   finite. */
dv_status dv__steps_read(dv_trainer *trainer);

/* Measures the mean loss and accuracy over the validation samples. */
dv_status dv__validate(dv_trainer *trainer, double *loss, double *accuracy);

#endif
