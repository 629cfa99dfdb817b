/* Writes the answer to a file as text, JSON, a line of JSON or a row of CSV. */
#ifndef DV_PREDICT_ROWS_H
#define DV_PREDICT_ROWS_H

#include "frontends/model/session.h"

#include <stdio.h>

typedef enum dv_row_format {
    DV_ROWS_TEXT,  /* a line for people: file, label, confidence; none for a file that failed */
    DV_ROWS_JSON,  /* one list, with labels, probabilities and logits */
    DV_ROWS_JSONL, /* one object per line */
    DV_ROWS_CSV    /* one row per file, after a header */
} dv_row_format;
#define DV_ROW_FORMATS "text", "json", "jsonl", "csv"
extern const char *const dv_row_formats[]; /* ends with NULL */

typedef struct dv_row_style {
    const dv_model *model; /* borrowed */
    int format;            /* dv_row_format */
    bool windows;          /* an answer holds stretches; not for CSV */
    double threshold;      /* no label is given if the best confidence is below it */
    int64_t top;           /* number of labels with their confidences, the best first */
    bool ascii;            /* only ASCII, for terminals, which obey some characters beyond it */
} dv_row_style;

/* Write the text before the first row and after the last one. */
void dv_rows_begin(const dv_row_style *style, FILE *out);
void dv_rows_end(const dv_row_style *style, FILE *out);

/* Writes the row of a file. `number` is its index, from 0. Returns DV_ENOMEM if memory runs out. */
dv_status dv_row_write(const dv_row_style *style, int64_t number, const char *file,
                       const dv_answer *answer, FILE *out);

/* A row of JSONL or CSV that was read again. */
typedef struct dv_row_read {
    char *file; /* name as in the row; owned */
    bool failed;
} dv_row_read;

/* Reads a row of `size` bytes, without the end of its line. The bytes may be changed. False if it
   is not a row in this format. Free *out with dv_row_read_free. */
bool dv_row_parse(int format, char *row, size_t size, dv_row_read *out);
void dv_row_read_free(dv_row_read *row);

/* The name of a file as its row contains it. The caller owns *out. */
dv_status dv_row_name(int format, const char *file, char **out);

#endif
