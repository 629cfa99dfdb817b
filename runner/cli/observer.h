/* A training on the terminal: its lines go to standard output, its progress is a bar on standard
   error if that is a terminal, and the signals of stop.h make it pause. */
#ifndef DV_CLI_OBSERVER_H
#define DV_CLI_OBSERVER_H

#include "runner/experiment/observer.h"

#include <stdbool.h>

typedef struct dv_terminal {
    dv_observer observer;
    bool bar, bar_shown;
    double begun, begun_at; /* time of the first step, s, and the epochs that were done then */
    int pretraining;        /* the value of dv_train_progress that these belong to */
} dv_terminal;

/* Sets the terminal up. The observer is a part of it. */
const dv_observer *dv_terminal_observe(dv_terminal *terminal);

#endif
