/* Programs started as children: wall time, processor time and peak memory of each by itself. */
#ifndef DV_BENCHMARKS_CHILD_H
#define DV_BENCHMARKS_CHILD_H

#include "engine/base/status.h"

typedef struct child_result {
    double seconds;   /* from before the start to after the end */
    double processor; /* seconds of all its threads, user and system */
    double peak;      /* bytes, the largest resident size; that of this process, if it is larger,
                         for the kernel counts the moment before the program takes over */
} child_result;

/*
 * Runs argv (ended by NULL) to its end, with OPENBLAS_NUM_THREADS=1. What it prints on standard
 * output goes to *output (owned by the caller, ended by 0), or nowhere where that is NULL. DV_EIO:
 * it cannot be started, or ends with another status than 0; its stderr is ours.
 */
dv_status child_run(char *const argv[], child_result *result, char **output);

#endif
