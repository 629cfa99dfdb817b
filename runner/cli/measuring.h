/* Measurements on the terminal: a bar if standard output and standard error are terminals, else a
   line on standard error per model. And the processes that measure. */
#ifndef DV_CLI_MEASURING_H
#define DV_CLI_MEASURING_H

#include "runner/cli/bar.h"
#include "runner/compare/comparison.h"

/* This program, for options->program. */
extern const char dv_this_program[];

typedef struct dv_measuring {
    dv_comparison_events events;
    dv_bar bar; /* counts steps */
} dv_measuring;

/* Sets it up. The events are a part of it. Signals end the measuring from here on. */
const dv_comparison_events *dv_measuring_begin(dv_measuring *measuring);

/* Clears the bar. */
void dv_measuring_end(dv_measuring *measuring);

/* Tells whether this is a process that measures (dv_measurement); runs it and gives the exit code.
 */
bool dv_measuring_is_child(int argc, char **argv);
int dv_measuring_child(int argc, char **argv);

#endif
