/*
 * Reading CSV files (RFC 4180), row by row. Lines end in LF, CR LF, or, where the file has no LF,
 * in CR; blanks before a field that is not quoted are no part of it. And reading JSON lines, an
 * object a line.
 */
#ifndef DV_BASE_CSV_H
#define DV_BASE_CSV_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { DV_CSV_FIELDS = 64 }; /* at most, of a row */

typedef struct dv_csv {
    const char *path; /* borrowed, for messages */
    char *text;       /* the whole file; fields are cut out of it, in place */
    char *next;       /* what is not yet read */
    char separator;   /* between fields */
    int line;         /* of `next`, from 1 */
    int row_line;     /* where the row that was read last began */
} dv_csv;

typedef struct dv_csv_row {
    char *fields[DV_CSV_FIELDS]; /* (count), in the text */
    size_t count;
} dv_csv_row;

/* The separator is a comma. DV_EIO, DV_EFORMAT (no text, UTF-16, too large). `path` must outlive
 * the reader. */
dv_status dv_csv_open(const char *path, dv_csv *csv);
void dv_csv_close(dv_csv *csv);

/* Reads the next row, stepping over empty lines; count 0 at the end. DV_EFORMAT: file and line. */
dv_status dv_csv_read(dv_csv *csv, dv_csv_row *row);

/* Makes the separator the first comma, semicolon or tab of the next line, outside quotes. */
void dv_csv_find_separator(dv_csv *csv);

/* Writes a field: in quotes where it holds what ends one, or, with `quoted`, in any case. */
void dv_csv_put(FILE *out, const char *text, bool quoted);

/* The members of an object. */
typedef struct dv_json_row {
    char *names[DV_CSV_FIELDS];  /* (count), owned */
    char *values[DV_CSV_FIELDS]; /* (count), owned; "" for null, NULL for what is neither a text
                                     nor a whole number */
    size_t count;
} dv_json_row;

/* Reads the next line that is not empty as an object; *more: there was one. DV_EFORMAT: file and
   line. Free with dv_json_row_free, on failure too. */
dv_status dv_json_line_read(dv_csv *csv, dv_json_row *row, bool *more);
void dv_json_row_free(dv_json_row *row);

#endif
