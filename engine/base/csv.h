/*
 * Readers of CSV files (RFC 4180), row by row, and of JSON lines, one object per line. Lines end in
 * LF or CR LF, or in CR if the file has no LF. Blanks before an unquoted field are skipped.
 */
#ifndef DV_BASE_CSV_H
#define DV_BASE_CSV_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { DV_CSV_FIELDS = 64 }; /* largest number of fields in a row */

typedef struct dv_csv {
    const char *path; /* borrowed, for messages */
    char *text;       /* the whole file; fields are cut out of it in place */
    char *next;       /* the first unread character */
    char separator;   /* between fields */
    int line;         /* line of `next`, from 1 */
    int row_line;     /* first line of the last row read */
} dv_csv;

typedef struct dv_csv_row {
    char *fields[DV_CSV_FIELDS]; /* (count), pointers into dv_csv.text */
    size_t count;
} dv_csv_row;

/* Opens a file with a comma as the separator. `path` must outlive the reader. Fails with DV_EIO, or
   with DV_EFORMAT if the file is no text, UTF-16 or too large. */
dv_status dv_csv_open(const char *path, dv_csv *csv);
void dv_csv_close(dv_csv *csv);

/* Reads the next row and skips empty lines. The row has count 0 at the end of the file. The message
   of DV_EFORMAT names the file and line. */
dv_status dv_csv_read(dv_csv *csv, dv_csv_row *row);

/* Sets the separator to the first comma, semicolon or tab outside quotes in the next line. */
void dv_csv_find_separator(dv_csv *csv);

/* Writes a field. It is quoted if it holds a character that would end it, or if `quoted`. */
void dv_csv_put(FILE *out, const char *text, bool quoted);

/* The members of a JSON object. */
typedef struct dv_json_row {
    char *names[DV_CSV_FIELDS]; /* (count), owned */
    /* (count), owned: texts, and whole numbers as text. null gives "", any other value NULL. */
    char *values[DV_CSV_FIELDS];
    size_t count;
} dv_json_row;

/* Reads the next line that is not empty as an object. *more tells whether there was one. Free the
   row with dv_json_row_free, also on failure. The message of DV_EFORMAT names the file and line. */
dv_status dv_json_line_read(dv_csv *csv, dv_json_row *row, bool *more);
void dv_json_row_free(dv_json_row *row);

#endif
