/*
 * The trainer makes trained parameters from a model, a source of batches and a configuration.
 *
 *     dv_trainer *trainer;
 *     DV_TRY(dv_trainer_create(context, &config, model, &source, &trainer));
 *     DV_TRY(dv_trainer_run(trainer, &events));    // DV_EINTERRUPTED if stopped and saved
 *
 * A step is a function of the seed and the step number alone. So a run that is resumed from a saved
 * state ends in the same bytes as an uninterrupted one, on the same backend with as many threads.
 * On a GPU this needs train.algorithms fixed, because a measurement may choose other algorithms.
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
    double ema_decay;               /* decay of the averaged weights; 0 keeps no average */
    const dv_tree *class_weights;   /* read by dv_dataset_weigh, for the source; may be NULL */
    char init_from[DV_STRING_SIZE]; /* read by dv_transfer, before the run */
    const dv_tree *freeze;          /* name patterns, read by dv_trainer_create; may be NULL */
    char teacher[DV_STRING_SIZE];   /* comma-separated, read before the run; may be empty */
    double teacher_weight, teacher_temperature; /* see distillation.h */
    double clip_norm;                           /* 0 turns clipping off */
    double label_smoothing;
    int64_t patience; /* epochs without improvement in validation before stopping; 0 never stops */
    int64_t seed;
    int mixed_precision;       /* dv_mixed_precision */
    bool tf32;                 /* dv_context_set_tf32 */
    int algorithms;            /* dv_algorithms of a GPU's libraries */
    double checkpoint_seconds; /* shortest time between two saves; 0 saves after every epoch */
    int64_t report_steps;      /* steps between two reads of a device's metrics; 0 reads them after
                                  each epoch */
    /* For debugging. */
    int64_t max_steps;      /* largest number of steps; 0 sets no limit */
    bool overfit_one_batch; /* repeat the first batch, with the same augmentation */
    bool check_finite;      /* name the first tensor that is not finite */
    bool time_layers;
    bool record; /* replay a recorded step if the device can */
} dv_train_config;

/* FP16 has a dynamic loss scale; BF16 needs none. TRUE is the type that suits the device best. On a
   CPU with BF16 only the operands of large products are rounded to it. */
typedef enum dv_mixed_precision {
    DV_MIXED_NONE,
    DV_MIXED_TRUE,
    DV_MIXED_FP16,
    DV_MIXED_BF16
} dv_mixed_precision;

extern const dv_field dv_train_fields[]; /* section `train` */

/* The request of one batch on the device. Pointers are device memory. */
typedef struct dv_batch_request {
    int64_t count;
    const int32_t *order; /* (order_count) clips of an epoch in order */
    int64_t order_count;
    /* For training: the batch has the clips order[place * count ...], with place = progress->step
       modulo steps_per_epoch, augmented by `seed` and progress->step. NULL takes order[first ...]
       without augmentation, and repeats the last clip at the end of the order. */
    const dv_progress *progress;
    uint64_t steps_per_epoch, seed;
    bool always_first; /* make the batch of step 0 in every step */
    int64_t first;
    dv_dtype dtype; /* type of the features */
    void *features; /* (count, rows, frames) */
    float *targets; /* (count, classes), one-hot unless clips are mixed; in training times the
                       class's weight. NULL if not wanted. */
} dv_batch_request;

/* A source of batches. The functions fill features (count, rows, frames) and targets (count,
   classes), rows of probabilities times the clip's weight. */
typedef struct dv_source {
    void *user;
    int64_t rows, frames, classes;
    int64_t train_count, validation_count;
    /* Makes the batch of the training clips `places` (count), each below train_count. Everything
       random depends only on `seed`, `step` and the place in the batch. */
    dv_status (*train_batch)(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets);
    /* Makes the batch of the validation samples first .. first + count - 1. */
    dv_status (*validation_batch)(void *user, int64_t first, int64_t count, float *features,
                                  float *targets);
    /* Enqueues the making of a batch on the device. NULL if only the two functions above make
       batches. The request's order holds clip numbers: 0 .. train_count - 1 for training, then
       those for validation. */
    dv_status (*device_batch)(void *user, const dv_batch_request *request);
} dv_source;

/*
 * The state that a resumed run needs beside the parameters' buffers and dv_progress: (name,
 * meaning). A COUNT is an integer, a NUMBER a double. A MARK is an integer that the trainer's owner
 * sets to tell data apart; it is 0 in older states, which lack it. The struct and the fields have
 * the members of DV_PROGRESS_LIST too; a loss scale of 0 has not begun.
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

extern const dv_field dv_train_state_fields[]; /* the fields of dv_train_state in a checkpoint */

typedef struct dv_epoch_metrics {
    int64_t epoch;                                                           /* from 1 */
    double train_loss, train_accuracy, validation_loss, validation_accuracy; /* NaN without data */
    double learning_rate; /* rate of the last update */
    double gradient_norm; /* mean over the updates, before clipping */
    double loss_scale;    /* 1 without loss scaling */
    int64_t skipped;      /* updates skipped because of an overflow, since the start */
    double seconds;
    bool improved;
} dv_epoch_metrics;

/* Counts of the steps since the trainer was made, by the way they were run. */
typedef struct dv_train_counters {
    uint64_t replays; /* steps replayed from the recording, in one launch each */
    uint64_t eager;   /* steps run call by call */
    size_t nodes;     /* launches, copies and fills of the recorded step; 0 if none is recorded */
} dv_train_counters;

typedef struct dv_trainer dv_trainer;

typedef struct dv_train_events {
    void *user;
    /* Called when the metrics so far are known: after each step, or every report_steps if the
       device enqueues work. May be NULL. */
    void (*step)(void *user, const dv_trainer *trainer);
    dv_status (*epoch)(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics);
    dv_status (*save)(void *user, const dv_trainer *trainer); /* saves the state */
    /* Asked after each step and each epoch whether to continue. NULL always continues. */
    dv_train_next (*next)(void *user);
} dv_train_events;

/* Builds the graphs and plans, and initialises the parameters. `model` is only read here; `source`
   must outlive the trainer. The trainer works in a view of the context (dv_context_view) with the
   configuration's arithmetic, so the context does not change. */
dv_status dv_trainer_create(dv_context *context, const dv_train_config *config,
                            const dv_tree *model, const dv_source *source, dv_trainer **out);
void dv_trainer_free(dv_trainer *trainer);

/* A trained model that answers the batches too. */
typedef struct dv_teacher {
    const dv_tree *model; /* name and layers; only read when the trainer is created */
    /* The same clips with the same augmentation, in the teacher's features; must outlive the
       trainer. NULL takes the student's source. */
    const dv_source *source;
} dv_teacher;
enum { DV_MAX_TEACHERS = DV_MAX_INPUTS };

/*
 * dv_trainer_create for a student of `count` teachers. A share train.teacher_weight of its loss is
 * the distance to the mean of the teachers' logits, see distillation.h. Before the run the caller
 * writes the teachers' values into dv_trainer_teachers, whose names begin with "teacher_<number>.",
 * counted from 1. They are not saved with the student.
 */
dv_status dv_trainer_create_taught(dv_context *context, const dv_train_config *config,
                                   const dv_tree *model, const dv_source *source,
                                   const dv_teacher *teachers, int count, dv_trainer **out);
dv_params *dv_trainer_teachers(const dv_trainer *trainer);    /* NULL without a teacher */
void dv_teacher_prefix(int index, char prefix[DV_NAME_SIZE]); /* index from 0; without the point */

/* Runs to the end, or until events->next ends it. With a validation set the final values are the
   best by validation accuracy (then loss), otherwise the last. With ema_decay they are averages. */
dv_status dv_trainer_run(dv_trainer *trainer, const dv_train_events *events);

/* The data to save. To resume, fill the parameters' buffers and the state before dv_trainer_run. */
dv_params *dv_trainer_params(const dv_trainer *trainer);
dv_train_state *dv_trainer_state(dv_trainer *trainer);
const dv_train_state *dv_trainer_state_of(const dv_trainer *trainer);

/* The trainer's view of its context, with its TF32 and algorithms. */
const dv_context *dv_trainer_context(const dv_trainer *trainer);
/* The arithmetic of products (dv_products_name). */
const char *dv_trainer_products(const dv_trainer *trainer);
const dv_graph *dv_trainer_graph(const dv_trainer *trainer);
dv_plan_memory dv_trainer_memory(const dv_trainer *trainer);
int64_t dv_trainer_batch_size(const dv_trainer *trainer); /* at most the number of samples */
/* The number of full batches in an epoch, rounded down to a multiple of `accumulate`, which is
   limited to the batches of an epoch. */
uint64_t dv_trainer_steps_per_epoch(const dv_trainer *trainer);
double dv_trainer_next_rate(const dv_trainer *trainer); /* learning rate of the next update */
dv_train_counters dv_trainer_counters(const dv_trainer *trainer);
/* Writes the recorded step to the file `path` for GraphViz. Fails with DV_EUNSUPPORTED if none is
   recorded. */
dv_status dv_trainer_recording_dot(const dv_trainer *trainer, const char *path);
double dv_trainer_mean_loss(const dv_trainer *trainer); /* loss of the unfinished epoch so far */

/* Prints one line per node: its name, and forward and backward milliseconds per batch. Needs
   time_layers. */
void dv_trainer_time_table(const dv_trainer *trainer, dv_line_fn line, void *user);

#endif
