/*
 * A file of rows that grows during the work, and that a later call can continue.
 *
 * Until it has all rows its name is PATH.part. PATH.job beside it records the conditions of the
 * work, and stays. A call that continues the file reads the rows again, drops an incomplete last
 * row, and takes as many names from the list; each must match its row. The complete file gets its
 * final name.
 */
#ifndef DV_PREDICT_ROWS_FILE_H
#define DV_PREDICT_ROWS_FILE_H

#include "runner/predict/names.h"
#include "runner/predict/rows.h"

#include <jansson.h>

#define DV_ROWS_PART ".part"
#define DV_ROWS_JOB ".job"

/* The condition whose value is the digest of the model. */
#define DV_ROWS_WEIGHTS "weights"

typedef struct dv_rows_file dv_rows_file;

typedef struct dv_rows_file_request {
    const char *path;
    const dv_row_style *style; /* with the format DV_ROWS_JSONL or DV_ROWS_CSV */
    const json_t *made_with;   /* object with the conditions, which a later call must share */
    bool resume, force;        /* force: drop the rows that a killed process has left */
} dv_rows_file_request;

/* The rows that exist already. */
typedef struct dv_rows_file_state {
    bool complete;        /* all rows exist, and no file is open */
    int64_t done, failed; /* numbers of rows */
} dv_rows_file_state;

/*
 * Begins the file with its header or, with `resume`, continues an existing one and takes as many
 * names from `names` as it has rows. *out is NULL on failure and if the file is complete. The
 * request is borrowed for the call only. Returns DV_EARG if another process writes the file, if its
 * rows have other names or other conditions, or if it has rows and neither `resume` nor `force` is
 * set; DV_EFORMAT if it holds anything but rows; else DV_EIO.
 */
dv_status dv_rows_file_open(const dv_rows_file_request *request, dv_names *names,
                            dv_rows_file_state *state, dv_rows_file **out);

/* Appends whole rows. After DV_EIO the last row may be incomplete; a later call drops it. */
dv_status dv_rows_file_write(dv_rows_file *file, const char *rows, size_t size);

/* Writes the content through to the disk, gives the file its final name, and closes it. After
   DV_EIO all rows are in PATH.part. */
dv_status dv_rows_file_finish(dv_rows_file *file);

/* Closes the file so that a later call can continue it. `file` may be NULL. */
void dv_rows_file_leave(dv_rows_file *file);

#endif
