/* A training on the terminal: its lines go to standard output, its progress is a bar on standard
   error if that is a terminal, and the signals of stop.h make it pause. */
#ifndef DV_CLI_OBSERVER_H
#define DV_CLI_OBSERVER_H

#include "runner/cli/bar.h"
#include "runner/experiment/observer.h"

#include <stdbool.h>

typedef struct dv_terminal {
    dv_observer observer;
    dv_bar bar;      /* counts epochs */
    bool began;      /* a step was shown */
    int pretraining; /* the value of dv_train_progress that the progress belongs to */
} dv_terminal;

/* Sets the terminal up. The observer is a part of it. */
const dv_observer *dv_terminal_observe(dv_terminal *terminal);

#endif
