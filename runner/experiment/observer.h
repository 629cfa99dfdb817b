/* What a caller sees of a training while it goes on, and where the caller may stop it. */
#ifndef DV_EXPERIMENT_OBSERVER_H
#define DV_EXPERIMENT_OBSERVER_H

#include "engine/train/trainer.h"

/*
 * Any function may be NULL. They are called by the thread that trains. What it writes into the log
 * of its run is told by `line` as well.
 */
typedef struct dv_observer {
    void *user;
    /* A line that people read: an information or a warning. It is fit for a terminal, and lives for
       the call only. */
    dv_log_fn line;
    /* The training takes steps from here on, and can save what it has: `next` is asked. A training
       and the one before it (pretraining.h) each begin. */
    void (*begin)(void *user);
    /* After each step whose metrics are known, and after each epoch. */
    void (*progress)(void *user, const dv_train_progress *progress);
    /* Asked after each step and each epoch; as dv_train_events.next. */
    dv_train_next (*next)(void *user);
} dv_observer;

#endif
