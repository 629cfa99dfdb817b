/* A training of the tone task on one backend, with what was seen of it; for tests of what a switch
   of the training does. All fail the test at once where something goes wrong. */
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
    dv_teacher teachers[2]; /* (teacher_count) set between trial_open and trial_create */
    int teacher_count;
    dv_augment_config augment; /* of the clips; by default nothing */
    dv_epoch_metrics metrics[MAX_EPOCHS];
    int epochs;
    int64_t stop_at; /* step at which to ask for a stop; 0: never */
    bool stop;
    void (*watch)(struct trial *seen); /* after each step; NULL: nobody */
    void *watcher;
} trial;

void require_refused(dv_status got, dv_status code, const char *part);
dv_tree *parse(const char *text);

extern const char trial_plain_model[];  /* two linear layers: hidden, head */
extern const char trial_normed_model[]; /* a convolution, a batch norm, a linear layer: conv, norm,
                                           head */

/* A task of `train` and `validation` clips for each class, two epochs without warm-up; the test
   changes task.config between this and trial_create. */
void trial_open(trial *seen, const dv_backend *backend, const char *model, int train,
                int validation);

/* Sets train.freeze. */
void trial_freeze(trial *seen, const char *patterns);

/* The trainer, with clips of the backend's device where it makes batches. */
dv_status trial_create(trial *seen);
dv_status trial_go(trial *seen);
void trial_whole(trial *seen); /* both, which must succeed */
void trial_close(trial *seen);

const dv_epoch_metrics *trial_last(const trial *seen);

/* One parameter of a buffer; all values and states one behind the other. The caller frees. */
float *trial_read_one(const trial *seen, const char *name, dv_buffer buffer, int64_t *count);
float *trial_read_all(const trial *seen, dv_buffer buffer, int64_t *count);

/* Root of the sum of squared differences. */
double trial_distance(const float *a, const float *b, int64_t count);

/* `tolerance` relative to `want`. */
void trial_require_near(double got, double want, double tolerance);

/* The same bytes in all values and states. */
void trial_require_same(const trial *a, const trial *b);

#endif
