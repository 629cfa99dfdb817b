/* Keeps the messages of a context while it is measured, so that a result can name the algorithms
   that it was measured with. Warnings are also printed at once. */
#ifndef DV_BENCHMARKS_NOTES_H
#define DV_BENCHMARKS_NOTES_H

#include "engine/base/log.h"

#include <stddef.h>

typedef struct notes_list {
    char **items; /* (count) */
    size_t count;
} notes_list;

typedef struct notes {
    notes_list warnings; /* each may mean that something else was measured than was asked for */
    notes_list details;  /* chosen algorithms, nodes of a recording */
} notes;

/* A log that keeps all messages in `n`, which begins as zeros, and prints warnings to standard
   error. Without memory for a message it is not kept. */
dv_log notes_log(notes *n);

/* DV_EUNSUPPORTED, with the first warning, if there was one: something else was measured than was
   asked for. */
dv_status notes_check(const notes *n);
void notes_free(notes *n);

#endif
