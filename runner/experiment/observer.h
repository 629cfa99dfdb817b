/* The callbacks through which a caller follows a training and may stop it. */
#ifndef DV_EXPERIMENT_OBSERVER_H
#define DV_EXPERIMENT_OBSERVER_H

#include "engine/train/trainer.h"

/*
 * Any function may be NULL. The training thread calls them.
 */
typedef struct dv_observer {
    void *user;
    /* Receives each line of the run's log that is an information or a warning. The line is safe to
       print and valid only during the call. */
    dv_log_fn line;
    /* Called when the steps begin: from then on `next` is called, and the training can pause. A
       pretraining (pretraining.h) and the training after it each call it. */
    void (*begin)(void *user);
    /* Called after each step whose metrics are known, and after each epoch. */
    void (*progress)(void *user, const dv_train_progress *progress);
    /* Called after each step and each epoch; see dv_train_events.next. */
    dv_train_next (*next)(void *user);
} dv_observer;

#endif
