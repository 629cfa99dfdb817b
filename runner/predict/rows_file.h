/*
 * A file of rows that grows while the work goes on, and that a later call goes on with.
 *
 * Until all rows are there it is called PATH.part; PATH.job beside it says what the rows were made
 * with, and stays. Who goes on reads the rows again, drops what is left of a row that was not
 * written to its end, and takes as many names from the list: each must be the one that its row has.
 * In the end the file gets its name.
 */
#ifndef DV_PREDICT_ROWS_FILE_H
#define DV_PREDICT_ROWS_FILE_H

#include "runner/predict/names.h"
#include "runner/predict/rows.h"

#include <jansson.h>

#define DV_ROWS_PART ".part"
#define DV_ROWS_JOB ".job"

typedef struct dv_rows_file dv_rows_file;

typedef struct dv_rows_file_request {
    const char *path;
    const dv_row_style *style; /* with the format DV_ROWS_JSONL or DV_ROWS_CSV */
    const json_t *made_with; /* object: what the rows depend on; a later call must have the same */
    bool resume, force;      /* force: what a process that was killed has left is dropped */
} dv_rows_file_request;

/* What was there already. */
typedef struct dv_rows_file_state {
    bool complete;        /* all rows; there is nothing to do, and nothing open */
    int64_t done, failed; /* rows */
} dv_rows_file_state;

/*
 * Begins the file, with its header, or with `resume` goes on with it, where there is one: that many
 * names are taken from `names`. *out is NULL on failure and where the file is complete. All of the
 * request is borrowed, for the call only. DV_EARG: another process writes it, the rows there are of
 * other names or were made with something else, or there are rows and neither `resume` nor `force`
 * says what to do with them; DV_EFORMAT: it holds what is no row; DV_EIO.
 */
dv_status dv_rows_file_open(const dv_rows_file_request *request, dv_names *names,
                            dv_rows_file_state *state, dv_rows_file **out);

/* Appends whole rows. DV_EIO: they may be there in part, and whoever goes on drops that part. */
dv_status dv_rows_file_write(dv_rows_file *file, const char *rows, size_t size);

/* Gives the file its name, after its content is on the disk, and closes it. DV_EIO: all is there
   under the name PATH.part. */
dv_status dv_rows_file_finish(dv_rows_file *file);

/* Closes the file, so that a later call can go on with it. NULL is allowed. */
void dv_rows_file_leave(dv_rows_file *file);

#endif
