/*
 * The names of the files that are to be answered, in their order: of a folder, a manifest, a list,
 * standard input, or those of the command line. Of several machines each takes a share.
 */
#ifndef DV_PREDICT_NAMES_H
#define DV_PREDICT_NAMES_H

#include "engine/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dv_names dv_names;

/* All borrowed, and needed until the names are closed. */
typedef struct dv_names_request {
    /*
     * Where the names come from:
     *   a folder    all sound files in it and in its folders, sorted, as data sets read it
     *   a sound     this file alone
     *   a manifest  a table with a column `path` (.csv, .tsv) or JSON lines (.jsonl, .json,
     *               .ndjson); its paths are relative to its folder
     *   a list      any other file: a name a line, relative to the present folder
     *   a pipe, -   a list that is read as it comes; - is standard input
     * NULL: the operands.
     */
    const char *input;
    const char *const *operands; /* (count) */
    size_t count;
    int64_t shard, shards; /* of the names, that with number `shard` of 1, ..., `shards`, the
                              next one after `shards` others, ... */
    dv_log log;            /* is told what lies in a folder and is no sound */
} dv_names_request;

/*
 * Opens the names; all but those of pipes are read at once. *out is NULL on failure. DV_EIO:
 * the input cannot be read; DV_EFORMAT: it is no list, no manifest, or there is no name in it.
 */
dv_status dv_names_open(const dv_names_request *request, dv_names **out);
void dv_names_close(dv_names *names); /* NULL is allowed */

/* How many there are in this share; -1: that is not known, they come through a pipe. */
int64_t dv_names_count(const dv_names *names);

/*
 * The next name, which lives until the next call; *name is NULL at the end. With `wait` false, it
 * is also NULL where the next one is still to come, and then dv_names_ended is false. DV_EIO,
 * DV_EFORMAT: the list.
 */
dv_status dv_names_next(dv_names *names, bool wait, const char **name);
bool dv_names_ended(const dv_names *names);

/* From here on no name is waited for: dv_names_next gives NULL where it would wait. Any thread may
   call it. */
void dv_names_stop(dv_names *names);

#endif
