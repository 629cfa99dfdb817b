/*
 * The names of the files to answer, in their order. They come from a folder, a manifest, a list,
 * standard input or the command line. Each of several machines may take a share.
 */
#ifndef DV_PREDICT_NAMES_H
#define DV_PREDICT_NAMES_H

#include "engine/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dv_names dv_names;

/* Everything is borrowed until the names are closed. */
typedef struct dv_names_request {
    /*
     * The source of the names:
     *   a folder    all sound files in it and in its folders, sorted, as data sets read them
     *   a sound     only this file
     *   a manifest  a table with a column `path` (.csv, .tsv) or JSON lines (.jsonl, .json,
     *               .ndjson); its paths are relative to its folder
     *   a list      any other file; one name per line, relative to the working folder
     *   a pipe, -   a list that is read as it arrives; - is standard input
     * NULL takes the operands.
     */
    const char *input;
    const char *const *operands; /* (count) */
    size_t count;
    int64_t shard, shards; /* selects every `shards`-th name, beginning with number `shard` >= 1 */
    dv_log log;            /* receives the files of a folder that are not sounds */
} dv_names_request;

/*
 * Opens the names, and reads all of them unless they come through a pipe. *out is NULL on failure.
 * Returns DV_EIO if the input cannot be read, and DV_EFORMAT if it is neither a list nor a
 * manifest, or has no names.
 */
dv_status dv_names_open(const dv_names_request *request, dv_names **out);
void dv_names_close(dv_names *names); /* `names` may be NULL */

/* The number of names in this share, or -1 if it is unknown because they come through a pipe. */
int64_t dv_names_count(const dv_names *names);

/*
 * Returns the next name, which lives until the next call. *name is NULL at the end. Unless `wait`
 * is true, it is also NULL if the next name has not arrived yet; dv_names_ended is false then.
 * Returns DV_EIO or DV_EFORMAT, as dv_lines_next does.
 */
dv_status dv_names_next(dv_names *names, bool wait, const char **name);
bool dv_names_ended(const dv_names *names);

/* Ends all waiting: dv_names_next returns NULL where it would wait. Any thread may call this. */
void dv_names_stop(dv_names *names);

#endif
