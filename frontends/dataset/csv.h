/* Reading CSV files (RFC 4180), row by row. */
#ifndef DV_FRONTENDS_DATASET_CSV_H
#define DV_FRONTENDS_DATASET_CSV_H

#include "engine/core/status.h"

#include <stddef.h>

enum { DV__CSV_FIELDS = 64 }; /* at most, of a row */

typedef struct dv__csv {
    const char *path; /* borrowed, for messages */
    char *text;       /* the whole file; fields are cut out of it, in place */
    char *next;       /* what is not yet read */
    int line;         /* of `next`, from 1 */
    int row_line;     /* where the row that was read last began */
} dv__csv;

typedef struct dv__csv_row {
    char *fields[DV__CSV_FIELDS]; /* (count), in the text */
    size_t count;
} dv__csv_row;

/* DV_EIO, DV_EFORMAT (no text, too large). `path` must outlive the reader. */
dv_status dv__csv_open(const char *path, dv__csv *csv);
void dv__csv_close(dv__csv *csv);

/* Reads the next row, stepping over empty lines; count 0 at the end. DV_EFORMAT: file and line. */
dv_status dv__csv_read(dv__csv *csv, dv__csv_row *row);

#endif
