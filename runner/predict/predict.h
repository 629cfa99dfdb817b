/*
 * Answers any number of files. Threads read the files and compute their answers side by side, each
 * with a session of its own; what they answer is given in the order of the names, as soon as it
 * and all before it are there. Beside the names, memory does not grow with the number of files.
 */
#ifndef DV_PREDICT_H
#define DV_PREDICT_H

#include "runner/predict/names.h"
#include "runner/predict/rows.h"

typedef struct dv_predict_progress {
    int64_t done, failed; /* files, those of an earlier part of the work too */
    int64_t total;        /* -1: is not known */
    int64_t earlier;      /* of those done, how many an earlier part has answered */
    double seconds;       /* since this part has begun */
} dv_predict_progress;

/* All borrowed. The functions are called by the thread that calls dv_predict. */
typedef struct dv_predict_request {
    dv_model *model;
    dv_names *names;
    int workers;  /* threads, 1 to DV_PREDICT_WORKERS */
    int batch;    /* files that one computes at a time, from 1 on */
    bool streams; /* a name may be that of a pipe; "-" is standard input */
    dv_row_style style;
    const char *hint;     /* for files that are longer than the window; see dv_answer_warn */
    int64_t done, failed; /* by an earlier part: so many names have been taken already */
    dv_status (*write)(void *user, const char *rows, size_t size); /* takes whole rows */
    void (*tell)(void *user, const dv_predict_progress *progress); /* twice a second, and at the
                                                                      end */
    bool (*stops)(void *user); /* true: no more files are begun */
    void *user;
    dv_log log; /* warnings of files, and why one has no answer */
} dv_predict_request;

enum { DV_PREDICT_WORKERS = 256 };

/* How many files one thread computes at a time: `wanted`, or with 0 as many as have all answered
   soonest, but no more than its part of the files, of which -1 is any number. */
int dv_predict_batch_for(const dv_model *model, int64_t files, int workers, int wanted);

/*
 * Answers the names that are left. A file that cannot be answered has a row that says why, and is
 * counted. *out says how far it came, on failure too. DV_EINTERRUPTED: `stops` ended it before the
 * names did. What is not one file's fault ends it: DV_ESYSTEM, DV_EDEVICE, DV_ENOMEM, what the
 * names say, and what `write` does.
 */
dv_status dv_predict(const dv_predict_request *request, dv_predict_progress *out);

#endif
