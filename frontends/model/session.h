/*
 * A session is everything that a thread needs to get answers from a model, made once: a plan for a
 * fixed number of clips, and a window, a resampler and scratch for each of its threads. Sessions of
 * one model share its parameters and are otherwise independent. include/decavox.h has the functions
 * for programs. The functions here are for the engine's own users: logits, clips of data sets, and
 * answers to files with all facts about them.
 */
#ifndef DV_MODEL_SESSION_H
#define DV_MODEL_SESSION_H

#include "frontends/dataset/dataset.h"
#include "frontends/model/model.h"

/* The capacity with which `clips` clips are answered soonest. It is larger on a device, where a
   launch serves more clips; on the CPU a larger one gains nothing. */
int dv_session_capacity_for(const dv_model *model, int64_t clips);

dv_model *dv_session_model(const dv_session *session);

/* Computes the logits (count, classes) of clips of a loaded data set. DV_ENUMERIC if an answer is
   not finite. */
dv_status dv_session_clips(dv_session *session, const dv_dataset *dataset, const int64_t *indices,
                           int64_t count, float *logits);

/* A stretch of a file, answered as if it were the whole file. */
typedef struct dv_stretch {
    double from, to; /* s */
    float *logits;   /* (classes) */
} dv_stretch;

/* The answer to one file. */
typedef struct dv_answer {
    dv_status status; /* DV_OK, or why there is no answer */
    char message[512];
    float *logits;         /* (classes) */
    unsigned remarks;      /* remarks on the file, see dv_audio_facts */
    bool longer;           /* the file is at least 10 ms longer than the window */
    dv_seen seen;          /* the part of the file that the model has seen */
    dv_stretch *stretches; /* (stretch_count), set by dv_session_answer_windows */
    int64_t stretch_count;
} dv_answer;

/*
 * Reads and answers `count` files. A file that cannot be read fails alone. A fault of the system
 * (DV_ESYSTEM, DV_ENOMEM, DV_EDEVICE) ends the call. The caller sets answers[0].logits to a block
 * (count, classes) for the logits of all answers. With `streams` a path may name a pipe, and "-"
 * stands for standard input.
 */
dv_status dv_session_answer_files(dv_session *session, const char *const *paths, int64_t count,
                                  bool streams, dv_answer *answers);

/*
 * Answers each window of one file. The windows follow each other from the file's start, and the
 * last one ends where the file ends. A file that is shorter than a window has one. The answers are
 * answer->stretches, which the caller frees with dv_answer_free_stretches; answer->logits stays as
 * it is. Failures and `streams` are as in dv_session_answer_files.
 */
dv_status dv_session_answer_windows(dv_session *session, const char *path, bool streams,
                                    dv_answer *answer);
void dv_answer_free_stretches(dv_answer *answer);

/* Warns of the remarks on a file, and of a file that is longer than the window. `hint` is appended
   to the latter warning and may be NULL. */
void dv_answer_warn(const dv_log *log, const char *path, const dv_answer *answer, const char *hint);

/* The longest file or sound that is answered, s. */
enum { DV_SESSION_MAX_SECONDS = 60 };

#endif
