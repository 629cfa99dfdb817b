/* What a context says while it is measured: kept, so that a figure can tell with what it was
   measured, and warnings shown at once. */
#ifndef DV_BENCHMARKS_NOTES_H
#define DV_BENCHMARKS_NOTES_H

#include "engine/base/log.h"

#include <stddef.h>

typedef struct notes_list {
    char **items; /* (count) */
    size_t count;
} notes_list;

typedef struct notes {
    notes_list warnings; /* what may make a figure one of something else */
    notes_list details;  /* chosen algorithms, nodes of a recording */
} notes;

/* A log that keeps all messages in `n`, which begins as zeros, and prints warnings to standard
   error. A message for which there is no memory is printed alone. */
dv_log notes_log(notes *n);

/* DV_EUNSUPPORTED, with the first warning: what was measured is not what was to be measured. */
dv_status notes_check(const notes *n);
void notes_free(notes *n);

#endif
