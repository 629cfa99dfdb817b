/*
 * The trainer: a model, a source of batches and a configuration become trained parameters.
 *
 *     dv_trainer *trainer;
 *     DV_TRY(dv_trainer_create(context, &config, model, &source, &trainer));
 *     DV_TRY(dv_trainer_run(trainer, &events));    // DV_EINTERRUPTED: stopped and saved
 *
 * A step is a function of the seed and the step number alone, so a run that is resumed from a saved
 * state ends in the same bytes as one that was not interrupted (same backend, same threads; on a
 * GPU with train.algorithms fixed, since what is measured may choose others).
 */
#ifndef DV_TRAIN_TRAINER_H
#define DV_TRAIN_TRAINER_H

#include "engine/core/plan.h"
#include "engine/train/schedule.h"
#include "kernels/formulas/progress.h"

typedef struct dv_train_config {
    int64_t epochs, batch_size;
    int optimizer; /* dv_optimizer_kind */
    double learning_rate, minimum_rate, weight_decay, beta1, beta2, epsilon;
    int scheduler; /* dv_schedule_kind */
    double warmup; /* share of all updates */
    double restart_epochs, restart_factor, step_epochs, step_factor, plateau_factor;
    int64_t plateau_patience;       /* epochs */
    double one_cycle_rise;          /* share of all updates */
    int64_t accumulate;             /* batches of an update */
    double ema_decay;               /* of a moving average of the weights; 0: none */
    const dv_tree *class_weights;   /* for the source: dv_dataset_weigh; NULL: none */
    char init_from[DV_STRING_SIZE]; /* for who sets up the run: dv_transfer */
    const dv_tree *freeze;          /* patterns, read by dv_trainer_create; NULL: none */
    char teacher[DV_STRING_SIZE];   /* for who sets up the run, with commas between; "": none */
    double teacher_weight, teacher_temperature; /* see distillation.h */
    double clip_norm;                           /* 0: no clipping */
    double label_smoothing;
    int64_t patience; /* epochs without improvement in validation before stopping; 0: never */
    int64_t seed;
    int mixed_precision;       /* dv_mixed_precision */
    bool tf32;                 /* dv_context_set_tf32 */
    int algorithms;            /* dv_algorithms, of a GPU's libraries */
    double checkpoint_seconds; /* least time between two saves; 0: every epoch */
    int64_t report_steps; /* steps between two looks at a device's metrics; 0: after each epoch */
    /* For debugging. */
    int64_t max_steps;      /* stop after so many; 0: no */
    bool overfit_one_batch; /* the first batch again and again, not augmented anew */
    bool check_finite;      /* name the first tensor that is not finite */
    bool time_layers;
    bool record; /* replay a recorded step where the device can */
} dv_train_config;

/* FP16 has its loss scaled, dynamically; BF16 needs no scaling. True is the one that the device is
   best at. On a CPU that has BF16 the operands of large products are rounded to it, and nothing
   else. */
typedef enum dv_mixed_precision {
    DV_MIXED_NONE,
    DV_MIXED_TRUE,
    DV_MIXED_FP16,
    DV_MIXED_BF16
} dv_mixed_precision;

extern const dv_field dv_train_fields[]; /* section `train` */

/* One batch. Pointers are device memory. */
typedef struct dv_batch_request {
    int64_t count;
    const int32_t *order; /* clips of an epoch, one after the other */
    int64_t order_count;
    /* Training: clips order[place * count ...], place = progress->step modulo steps_per_epoch, with
       augmentation by `seed` and progress->step. NULL: order[first ...] as they are, the last one
       repeated where the order ends. */
    const dv_progress *progress;
    uint64_t steps_per_epoch, seed;
    bool always_first; /* the batch of step 0, whatever the step */
    int64_t first;
    dv_dtype dtype; /* of the features */
    void *features; /* (count, rows, frames) */
    float *targets; /* (count, classes), one-hot where nothing mixes, in training times the class's
                       weight; NULL: not wanted */
} dv_batch_request;

/* Where batches come from. The functions fill features (count, rows, frames) and targets (count,
   classes), rows of probabilities times the clip's weight. */
typedef struct dv_source {
    void *user;
    int64_t rows, frames, classes;
    int64_t train_count, validation_count;
    /* `places` (count) of 0..train_count-1; everything random depends on `seed`, `step` and the
       place in the batch only. */
    dv_status (*train_batch)(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets);
    /* The validation samples first .. first + count - 1. */
    dv_status (*validation_batch)(void *user, int64_t first, int64_t count, float *features,
                                  float *targets);
    /* Batches made where the step is computed, enqueued; NULL: the two above make them. The
       request's order holds the clips: 0 .. train_count - 1 of training, then validation. */
    dv_status (*device_batch)(void *user, const dv_batch_request *request);
} dv_source;

/*
 * What a run needs to go on, beside the parameters' buffers and dv_progress: (name, what it is). A
 * COUNT is an integer, a NUMBER a double. A MARK is an integer of who owns the trainer, which tells
 * data apart; older states lack it, and then it is 0. DV_PROGRESS_LIST stands beside it in the
 * struct and in the fields; a loss scale of 0 is one that has not begun.
 */
#define DV_TRAIN_STATE_LIST(COUNT, NUMBER, MARK)                                                   \
    COUNT(epoch, "epochs finished")                                                                \
    COUNT(best_epoch, "by the validation, from 1; 0: none yet")                                    \
    NUMBER(best_accuracy, "validation accuracy of the best epoch")                                 \
    NUMBER(best_loss, "validation loss of the best epoch")                                         \
    COUNT(stale, "epochs since the best")                                                          \
    NUMBER(plateau_best, "loss of the best epoch for the schedule plateau")                        \
    COUNT(plateau_stale, "epochs since then or since the rate fell")                               \
    COUNT(plateau_falls, "of the rate so far")                                                     \
    MARK(data, "which data these are; 0: unknown")                                                 \
    MARK(sounds, "what is in their files; 0: unknown")                                             \
    MARK(teachers, "what is in the teachers' files; 0: there are none")

typedef struct dv_train_state {
#define DV_INTEGER(name, help) int64_t name;
#define DV_DOUBLE(name, help) double name;
    DV_PROGRESS_LIST(DV_INTEGER, DV_DOUBLE)
    DV_TRAIN_STATE_LIST(DV_INTEGER, DV_DOUBLE, DV_INTEGER)
#undef DV_INTEGER
#undef DV_DOUBLE
    bool finished;
} dv_train_state;

extern const dv_field dv_train_state_fields[]; /* to write it into a checkpoint and read it back */

typedef struct dv_epoch_metrics {
    int64_t epoch;                                                           /* from 1 */
    double train_loss, train_accuracy, validation_loss, validation_accuracy; /* NaN: no data */
    double learning_rate; /* of the last update */
    double gradient_norm; /* mean over the updates, before clipping */
    double loss_scale;    /* 1: the loss is not scaled */
    int64_t skipped;      /* updates since the start that were left out: an overflow */
    double seconds;
    bool improved;
} dv_epoch_metrics;

/* How steps came to the device since the trainer was made. */
typedef struct dv_train_counters {
    uint64_t replays; /* of the recorded step: one launch each */
    uint64_t eager;   /* call by call */
    size_t nodes;     /* launches, copies and fills of the recorded step; 0: none is recorded */
} dv_train_counters;

typedef struct dv_trainer dv_trainer;

typedef struct dv_train_events {
    void *user;
    /* When the metrics of the steps so far are known: after each step, on a device apart from the
       host every report_steps. May be NULL. */
    void (*step)(void *user, const dv_trainer *trainer);
    dv_status (*epoch)(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics);
    dv_status (*save)(void *user, const dv_trainer *trainer); /* the state is to be kept now */
    /* Asked after each step and each epoch what comes next. May be NULL: the training goes on. */
    dv_train_next (*next)(void *user);
} dv_train_events;

/* Builds the graphs and plans, initialises the parameters. `model` is read here only; `source`
   must outlive the trainer. The context stays as it is: the trainer works in a view of it
   (dv_context_view), in the arithmetic of the configuration. */
dv_status dv_trainer_create(dv_context *context, const dv_train_config *config,
                            const dv_tree *model, const dv_source *source, dv_trainer **out);
void dv_trainer_free(dv_trainer *trainer);

/* A model that is trained already and answers the batches too. */
typedef struct dv_teacher {
    const dv_tree *model;    /* name and layers; read here only */
    const dv_source *source; /* of the same clips, changed in the same way, in the teacher's
                                features; must outlive the trainer. NULL: the student's */
} dv_teacher;
enum { DV_MAX_TEACHERS = DV_MAX_INPUTS };

/*
 * dv_trainer_create of a student: its loss is train.teacher_weight parts of the distance to the
 * mean of the teachers' (count) logits, see distillation.h. What they are trained of has to be
 * written into dv_trainer_teachers before the run: parameters with "teacher_<number>." before their
 * names, numbers from 1. Nothing of them is saved with the student.
 */
dv_status dv_trainer_create_taught(dv_context *context, const dv_train_config *config,
                                   const dv_tree *model, const dv_source *source,
                                   const dv_teacher *teachers, int count, dv_trainer **out);
dv_params *dv_trainer_teachers(const dv_trainer *trainer);    /* NULL: there is none */
void dv_teacher_prefix(int index, char prefix[DV_NAME_SIZE]); /* without the point; from 0 */

/* Runs to the end, or to where events->next ends it. Afterwards the values are the best ones by
   validation accuracy (then loss), where there is a validation set, else the last ones. With
   ema_decay both are averages. */
dv_status dv_trainer_run(dv_trainer *trainer, const dv_train_events *events);

/* To save and to resume: fill the parameters' buffers and the state before dv_trainer_run. */
dv_params *dv_trainer_params(const dv_trainer *trainer);
dv_train_state *dv_trainer_state(dv_trainer *trainer);
const dv_train_state *dv_trainer_state_of(const dv_trainer *trainer);

/* The trainer's view of its context, with the TF32 and the algorithms that the trainer works by. */
const dv_context *dv_trainer_context(const dv_trainer *trainer);
/* What products are computed in (dv_products_name). */
const char *dv_trainer_products(const dv_trainer *trainer);
const dv_graph *dv_trainer_graph(const dv_trainer *trainer);
dv_plan_memory dv_trainer_memory(const dv_trainer *trainer);
int64_t dv_trainer_batch_size(const dv_trainer *trainer); /* at most the number of samples */
/* Batches: as many as are full, and of those whole multiples of `accumulate`, which is at most what
   an epoch has. */
uint64_t dv_trainer_steps_per_epoch(const dv_trainer *trainer);
double dv_trainer_next_rate(const dv_trainer *trainer); /* learning rate of the update to come */
dv_train_counters dv_trainer_counters(const dv_trainer *trainer);
/* Writes the recorded step to the file `path` for GraphViz. DV_EUNSUPPORTED: none is recorded. */
dv_status dv_trainer_recording_dot(const dv_trainer *trainer, const char *path);
double dv_trainer_mean_loss(const dv_trainer *trainer); /* of the unfinished epoch so far */

/* One line per node: name, forward and backward milliseconds per batch. Needs
   time_layers. */
void dv_trainer_time_table(const dv_trainer *trainer, dv_line_fn line, void *user);

#endif
