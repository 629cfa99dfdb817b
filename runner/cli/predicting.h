/* Prediction of files on the terminal: rows, messages, progress. */
#ifndef DV_CLI_PREDICTING_H
#define DV_CLI_PREDICTING_H

#include "runner/cli/bar.h"
#include "runner/predict/predict.h"
#include "runner/predict/rows_file.h"

typedef struct dv_predicting {
    dv_rows_file *file;  /* takes the rows, borrowed; NULL for standard output */
    int64_t messages[2]; /* number of failures and of warnings so far */
    dv_bar bar;          /* counts files */
    double told;         /* time of the last line of progress in a log, s */
} dv_predicting;

/* Fills in the request's functions and its log. With a file, a signal of stop.h ends the work after
   the files at hand. */
void dv_predicting_begin(dv_predicting *predicting, dv_rows_file *file,
                         dv_predict_request *request);

/* Clears the line of progress. */
void dv_predicting_end(dv_predicting *predicting);

#endif
