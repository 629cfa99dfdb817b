/*
 * A session: what a thread needs to get answers of a model, made once: a plan of a fixed number of
 * clips, and for each of its threads a window, resampling and scratch. Sessions of one model share
 * its parameters, and know nothing of each other. What programs use is in include/decavox.h; here
 * is what the engine's own users have beside it: logits, clips of data sets, and files with all
 * that is known of them.
 */
#ifndef DV_MODEL_SESSION_H
#define DV_MODEL_SESSION_H

#include "frontends/dataset/dataset.h"
#include "frontends/model/model.h"

/* The capacity with which many clips are answered soonest: on the CPU more gains nothing, and on a
   device a launch serves more of them. */
int dv_session_capacity_for(const dv_model *model, int64_t clips);

dv_model *dv_session_model(const dv_session *session);

/* Clips of a loaded data set: logits (count, classes). DV_ENUMERIC: an answer is not finite. */
dv_status dv_session_clips(dv_session *session, const dv_dataset *dataset, const int64_t *indices,
                           int64_t count, float *logits);

/* A part of a file with an answer of its own, as if it were all of the file. */
typedef struct dv_stretch {
    double from, to; /* s */
    float *logits;   /* (classes) */
} dv_stretch;

/* What became of one file. */
typedef struct dv_answer {
    dv_status status; /* DV_OK, or why there is no answer */
    char message[512];
    float *logits;         /* (classes) */
    unsigned remarks;      /* of the file: see dv_audio_facts */
    bool longer;           /* the file is longer than the window by 10 ms and more */
    dv_seen seen;          /* of the file, by the model */
    dv_stretch *stretches; /* (stretch_count), where they are asked for */
    int64_t stretch_count;
} dv_answer;

/*
 * Reads and answers `count` files. A file that cannot be read fails alone, unless that is the
 * system's fault (DV_ESYSTEM, DV_ENOMEM): then no more are answered. The logits of all answers are
 * one block, (count, classes), which answers[0].logits begins. With `streams` a path may be that of
 * a pipe, and "-" is standard input.
 */
dv_status dv_session_answer_files(dv_session *session, const char *const *paths, int64_t count,
                                  bool streams, dv_answer *answers);

/*
 * Answers each window of one file. The windows follow each other from its start, and the last one
 * ends with it; of a shorter file there is one. They are answer->stretches, to be freed with
 * dv_answer_free_stretches; answer->logits are left alone. All else is as above.
 */
dv_status dv_session_answer_windows(dv_session *session, const char *path, bool streams,
                                    dv_answer *answer);
void dv_answer_free_stretches(dv_answer *answer);

/* Warns of a file that is not in order, or that is longer than the window; `hint` says what its
   user can do about the latter, NULL: nothing is said. */
void dv_answer_warn(const dv_log *log, const char *path, const dv_answer *answer, const char *hint);

/* The longest file or sound that is answered, in seconds. */
enum { DV_SESSION_MAX_SECONDS = 60 };

#endif
