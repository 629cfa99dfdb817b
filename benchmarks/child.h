/* Runs programs as child processes and measures wall time, processor time and peak memory of
   each. */
#ifndef DV_BENCHMARKS_CHILD_H
#define DV_BENCHMARKS_CHILD_H

#include "engine/base/status.h"

typedef struct child_result {
    double seconds;   /* from before the start to after the end */
    double processor; /* seconds of all its threads, user and system */
    double peak;      /* bytes, the largest resident size. It is at least the size of this process,
                         because the kernel counts the fork before the program takes over */
} child_result;

/*
 * Runs argv (ended by NULL) to its end, with OPENBLAS_NUM_THREADS=1. Its standard output becomes
 * *output, a string that the caller frees, or is dropped if `output` is NULL. Its stderr is ours.
 * DV_EIO if it cannot be started or ends with a status other than 0.
 */
dv_status child_run(char *const argv[], child_result *result, char **output);

#endif
