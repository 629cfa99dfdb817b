/*
 * Runs a program in a child process, for measurements that need a process of their own. The child
 * writes lines to its standard output. A line "error CODE MESSAGE" reports its failure; all other
 * lines go to the caller.
 */
#ifndef DV_BASE_PROCESS_H
#define DV_BASE_PROCESS_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct dv_child {
    const char *name;        /* name of its task, for messages */
    const char *program;     /* the file to run; a name without '/' is searched in PATH */
    const char *const *argv; /* NULL-terminated; argv[0] is a name only */
    void *user;
    /* Receives each line without its newline, cut to 4095 bytes. NULL discards the child's
       output. */
    void (*take)(void *user, const char *line);
    /* Polled ten times a second; true ends the child. NULL never ends it. */
    bool (*stopped)(void *user);
} dv_child;

/* Runs the child to its end. Returns DV_EINTERRUPTED if `stopped` ended it, the failure that the
   child reported, or DV_EIO if the child could not be started or failed without a report. */
dv_status dv_child_run(const dv_child *child);

/* Called in the child: reports a failure with the current message (dv_error_message). */
void dv_child_tell(dv_status status, FILE *out);

#endif
