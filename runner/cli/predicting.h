/* Answers to files as the terminal sees them: rows, messages, and how far it is. */
#ifndef DV_CLI_PREDICTING_H
#define DV_CLI_PREDICTING_H

#include "runner/predict/predict.h"
#include "runner/predict/rows_file.h"

typedef struct dv_predicting {
    dv_rows_file *file;  /* where the rows go, borrowed; NULL: to standard output */
    int64_t messages[2]; /* failures and warnings of files, so far */
    bool terminal;       /* what stderr is: the progress stands in one line there */
    bool line_shown;     /* such a line is on the terminal */
    double told;         /* seconds at which it was told how far it is, where stderr is none */
} dv_predicting;

/* Fills in the request's functions and its log. With a file, signals that ask for it end the work
   after the files at hand. */
void dv_predicting_begin(dv_predicting *predicting, dv_rows_file *file,
                         dv_predict_request *request);

/* Takes the line from the terminal. */
void dv_predicting_end(dv_predicting *predicting);

#endif
