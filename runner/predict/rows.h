/* How the answer to a file is written: as text, JSON, a line of JSON, or a row of CSV. */
#ifndef DV_PREDICT_ROWS_H
#define DV_PREDICT_ROWS_H

#include "frontends/model/session.h"

#include <stdio.h>

typedef enum dv_row_format {
    DV_ROWS_TEXT,  /* a line for people: file, label, confidence; a file that failed has none */
    DV_ROWS_JSON,  /* one list, with labels, probabilities and logits */
    DV_ROWS_JSONL, /* an object a line */
    DV_ROWS_CSV    /* a row a file, behind a header */
} dv_row_format;
#define DV_ROW_FORMATS "text", "json", "jsonl", "csv"
extern const char *const dv_row_formats[]; /* NULL at the end */

typedef struct dv_row_style {
    const dv_model *model; /* borrowed */
    int format;            /* dv_row_format */
    bool windows;          /* an answer holds stretches; CSV has no place for them */
    double threshold;      /* where the best label's confidence is below it, no label is given */
    int64_t top; /* so many labels with their confidences, the best first; 1: that alone */
    bool ascii;  /* JSON for a terminal: beyond ASCII there are characters that it obeys */
} dv_row_style;

/* What stands before the first row and behind the last one. */
void dv_rows_begin(const dv_row_style *style, FILE *out);
void dv_rows_end(const dv_row_style *style, FILE *out);

/* The row of the file with this number, from 0. DV_ENOMEM. */
dv_status dv_row_write(const dv_row_style *style, int64_t number, const char *file,
                       const dv_answer *answer, FILE *out);

/* What a row says, of JSONL and CSV. */
typedef struct dv_row_read {
    char *file; /* as the row has it, owned */
    bool failed;
} dv_row_read;

/* Reads the row (size bytes, which it may change), without the end of its line. False: it is no row
   in this format. Free with dv_row_read_free. */
bool dv_row_parse(int format, char *row, size_t size, dv_row_read *out);
void dv_row_read_free(dv_row_read *row);

/* The name of a file as its row has it, owned by the caller. */
dv_status dv_row_name(int format, const char *file, char **out);

#endif
