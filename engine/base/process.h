/*
 * A program in a process of its own, for what has to be measured there. The child speaks in lines
 * on its standard output; one of "error CODE MESSAGE" is its failure, the others are the caller's.
 */
#ifndef DV_BASE_PROCESS_H
#define DV_BASE_PROCESS_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct dv_child {
    const char *name;    /* of what it does, for messages */
    const char *program; /* the file that is started; a name without '/' is looked for in PATH */
    const char *const *argv; /* ended by NULL; argv[0] is a name only */
    void *user;
    /* Gets each line, without its newline and at most 4095 bytes of it. NULL: the child's output is
       thrown away. */
    void (*take)(void *user, const char *line);
    /* Asked ten times a second whether the child is to be ended. NULL: it is not. */
    bool (*stopped)(void *user);
} dv_child;

/* Runs the child to its end. DV_EINTERRUPTED: it was ended by `stopped`. Otherwise the failure that
   the child has told, or DV_EIO if the child could not be started or has failed without a word. */
dv_status dv_child_run(const dv_child *child);

/* In the child: writes the line about a failure, with the present message. */
void dv_child_tell(dv_status status, FILE *out);

#endif
