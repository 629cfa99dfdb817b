/* A training as it is seen on the terminal: its lines on standard output, its progress as a bar on
   standard error, where that is a terminal, and the signals of stop.h make it pause. */
#ifndef DV_CLI_OBSERVER_H
#define DV_CLI_OBSERVER_H

#include "runner/experiment/observer.h"

#include <stdbool.h>

typedef struct dv_terminal {
    dv_observer observer;
    bool bar, bar_shown;
    double begun, begun_at; /* seconds, and epochs that were done then: for the time that is left */
    int pretraining;        /* as in dv_train_progress */
} dv_terminal;

/* Sets the terminal up; the observer is a part of it. */
const dv_observer *dv_terminal_observe(dv_terminal *terminal);

#endif
