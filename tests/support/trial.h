/* A trial trains the tone task on one backend and keeps its metrics, for tests of one setting of
   the training. A failure fails the test at once. */
#ifndef DV_TESTS_TRIAL_H
#define DV_TESTS_TRIAL_H

#include "tests/support/must.h"
#include "tests/support/tones.h"

enum { MAX_EPOCHS = 32, CLASSES = 3 };

typedef struct trial {
    tones task;
    dv_context *context;
    dv_trainer *trainer;
    dv_tree *freeze;
    dv_teacher teachers[2]; /* (teacher_count), set between trial_open and trial_create */
    int teacher_count;
    dv_augment_config augment; /* augmentation of the clips, by default none */
    dv_epoch_metrics metrics[MAX_EPOCHS];
    int epochs;
    int64_t stop_at; /* step that asks for a stop, 0 for none */
    bool stop;
    void (*watch)(struct trial *seen); /* called after each step unless NULL */
    void *watcher;                     /* for `watch` */
} trial;

/* Asserts that a call was refused with this code and a message that contains `part`. */
void require_refused(dv_status got, dv_status code, const char *part);
dv_tree *parse(const char *text);

extern const char trial_plain_model[];  /* two linear layers, "hidden" and "head" */
extern const char trial_normed_model[]; /* a convolution "conv", a batch norm "norm" and a linear
                                           layer "head" */

/* Sets up a task of `train` and `validation` clips per class and two epochs without warm-up. The
   test may change task.config before trial_create. */
void trial_open(trial *seen, const dv_backend *backend, const char *model, int train,
                int validation);

/* Sets train.freeze. */
void trial_freeze(trial *seen, const char *patterns);

/* Makes the trainer. The device makes the batches if its backend can. */
dv_status trial_create(trial *seen);
dv_status trial_go(trial *seen);
void trial_whole(trial *seen); /* trial_create and trial_go, which must succeed */
void trial_close(trial *seen);

const dv_epoch_metrics *trial_last(const trial *seen);

/* Read one parameter of a buffer, or all values and states one after the other. The caller frees
   the result. */
float *trial_read_one(const trial *seen, const char *name, dv_buffer buffer, int64_t *count);
float *trial_read_all(const trial *seen, dv_buffer buffer, int64_t *count);

/* The Euclidean distance of two arrays. */
double trial_distance(const float *a, const float *b, int64_t count);

/* Asserts that `got` is within `tolerance`, relative to `want`. */
void trial_require_near(double got, double want, double tolerance);

/* Asserts that all values and states have the same bytes. */
void trial_require_same(const trial *a, const trial *b);

#endif
