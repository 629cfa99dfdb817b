/*
 * Answers any number of files. Threads, each with a session of its own, read the files and compute
 * the answers in parallel. A row is written as soon as all rows before it have been written, so the
 * order is that of the names. Apart from the names, memory does not grow with the number of files.
 */
#ifndef DV_PREDICT_H
#define DV_PREDICT_H

#include "runner/predict/names.h"
#include "runner/predict/rows.h"

typedef struct dv_predict_progress {
    int64_t done, failed; /* numbers of files, with those of an earlier call */
    int64_t total;        /* number of all files; -1 if unknown */
    int64_t earlier;      /* number of files that an earlier call has done */
    double seconds;       /* since the beginning of this call */
} dv_predict_progress;

/* Everything is borrowed. The functions are called in the thread that calls dv_predict. */
typedef struct dv_predict_request {
    dv_model *model;
    dv_names *names;
    int workers;  /* threads, 1 to DV_PREDICT_WORKERS */
    int batch;    /* files per batch of a thread, at least 1 */
    bool streams; /* a name may be that of a pipe; "-" is standard input */
    dv_row_style style;
    const char *hint;     /* for files that are longer than the window; see dv_answer_warn */
    int64_t done, failed; /* counts of an earlier call, which has taken `done` names already */
    dv_status (*write)(void *user, const char *rows, size_t size); /* takes whole rows */
    void (*tell)(void *user, const dv_predict_progress *progress); /* called twice a second, and at
                                                                      the end */
    bool (*stops)(void *user); /* returns true to begin no more files */
    void *user;
    dv_log log; /* receives the warnings and the failures of files */
} dv_predict_request;

enum { DV_PREDICT_WORKERS = 256 };

/* The batch size of one thread: `wanted` or, if that is 0, the fastest one, limited by the thread's
   share of the files. `files` is -1 if their number is unknown. */
int dv_predict_batch_for(const dv_model *model, int64_t files, int workers, int wanted);

/*
 * Answers the remaining names. A file that cannot be answered gets a row with the reason, and is
 * counted in `failed`. *out tells how far the call got, also after a failure. Returns
 * DV_EINTERRUPTED if `stops` ended it before the names did. Failures that do not belong to one file
 * end the call: DV_ESYSTEM, DV_EDEVICE, DV_ENOMEM, and those of the names and of `write`.
 */
dv_status dv_predict(const dv_predict_request *request, dv_predict_progress *out);

#endif
