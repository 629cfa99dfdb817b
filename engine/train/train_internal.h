/* What the files of the trainer share: trainer.c (making, epochs, the run), step.c (what happens on
   the device), teacher.c and config.c. */
#ifndef DV_TRAIN_INTERNAL_H
#define DV_TRAIN_INTERNAL_H

#include "engine/layers/network.h"
#include "engine/optimizer/optimizer.h"
#include "engine/train/trainer.h"

typedef struct dv_teaching dv_teaching;

/* What steps work on in device memory, beside plans and parameters. */
typedef struct dv_device_state {
    dv_progress *progress; /* of training */
    dv_progress *measured; /* of validation: its sums alone */
    dv_rate *rates;        /* (updates of an epoch + 1) from progress->first on */
    int32_t *order;        /* (train_count) the clips of this epoch, shuffled */
    int32_t *validation;   /* (validation_count) the clips of validation */
    float *targets;        /* (batch, classes) of validation */
} dv_device_state;

struct dv_trainer {
    dv_context view;     /* of the caller's context, in the arithmetic of the configuration */
    dv_context *context; /* &view: for what is made in it */
    dv_precision precision;
    dv_train_config config;
    const dv_source *source;
    dv_schedule schedule;
    int64_t batch;
    uint64_t steps_per_epoch; /* a multiple of accumulate */
    uint64_t accumulate;      /* batches of an update */
    dv_params *params;
    dv_network train, validation; /* the first goes on behind the logits, to the loss */
    int loss;                     /* values of `train` */
    int teacher;                  /* of the teachers' logits, where there are any */
    dv_teaching *teaching;        /* NULL: there is no teacher */
    dv_train_state state;
    dv_device_state device;
    int64_t *order;            /* (train_count) as on the device */
    int32_t *places;           /* host memory for what goes to the device */
    dv_rate *rates;            /* likewise */
    float *features, *targets; /* one batch, where the front-end makes it */
    void *recording;           /* of a step; NULL: none yet */
    bool unrecordable;         /* it was tried, and said so */
    bool finishing;            /* the epoch at hand is the last one: the caller has said so */
    dv_train_counters counters;
    double last_save, epoch_start; /* seconds of the monotonic clock */
};

static inline uint64_t dv__updates_per_epoch(const dv_trainer *trainer)
{
    return trainer->steps_per_epoch / trainer->accumulate;
}

/* Those that have changed the parameters so far. */
static inline uint64_t dv__updates(const dv_trainer *trainer)
{
    return (uint64_t)trainer->state.step / trainer->accumulate - (uint64_t)trainer->state.skipped;
}

/* What is validated and kept. */
static inline dv_buffer dv__result(const dv_trainer *trainer)
{
    return trainer->config.ema_decay > 0 ? DV_BUFFER_AVERAGE : DV_BUFFER_VALUES;
}

/* Of the update that comes after so many. */
double dv__rate_of(const dv_trainer *trainer, uint64_t update);

/* ---- config.c ---- */

/* Sets the arithmetic of the trainer's context, and its precision, as the configuration wants them.
   What the device does not have is said, and FP32 stands in for it. */
dv_status dv__set_arithmetic(dv_trainer *trainer);

/* ---- teacher.c ---- */

/* trainer->teaching; with no teacher it stays NULL. Freed with the trainer, on failure too. */
dv_status dv__teaching_create(dv_trainer *trainer, const dv_teacher *teachers, int count);
void dv__teaching_free(dv_teaching *teaching);

/* Batches of the front-end, before the step: the clips at `places`, for the teachers with features
   of their own. Fills trainer->targets. */
dv_status dv__teaching_load(dv_teaching *teaching, const int64_t *places, uint64_t step);

/* Within the step, when the student's batch is there: the teachers' logits become its input.
   `request`: the one that made the student's batch on the device. */
dv_status dv__teaching_ask(dv_teaching *teaching, const dv_batch_request *request);

/* ---- step.c ---- */

/* Device memory of the steps. */
dv_status dv__steps_allocate(dv_trainer *trainer);
void dv__steps_free(dv_trainer *trainer);

/* Brings the state, the order and the rates to the device: at the start of an epoch. */
dv_status dv__steps_begin(dv_trainer *trainer);

/* One training step; on a device apart from the host it is enqueued only. */
dv_status dv__step_run(dv_trainer *trainer);

/* Waits for the steps and brings the state up to date. DV_ENUMERIC: a gradient was not finite. */
dv_status dv__steps_read(dv_trainer *trainer);

/* Mean loss and accuracy over the validation samples. */
dv_status dv__validate(dv_trainer *trainer, double *loss, double *accuracy);

#endif
