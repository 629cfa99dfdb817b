/*
 * The predictor: from a checkpoint and a sound to an answer. Front-end, labels and model all come
 * from the checkpoint, so what is predicted is what was trained.
 *
 * Clips are spread over the threads, each with a session of its own that is kept from call to call:
 * an answer depends on nothing but the clip, to the bit.
 */
#ifndef DV_MODEL_PREDICTOR_H
#define DV_MODEL_PREDICTOR_H

#include "frontends/dataset/dataset.h"
#include "frontends/model/decavox_predict.h"
#include "frontends/model/model.h"

typedef struct dv_predictor dv_predictor;

typedef struct dv_predictor_options {
    const char *device;       /* as dv_context_open takes it */
    int threads;              /* 0: as many as there are physical cores; never more than clips */
    dv_algorithms algorithms; /* of a GPU's libraries; what is measured is kept, see choices.h */
    dv_log log;
} dv_predictor_options;

/* As dv_model_open. */
dv_status dv_predictor_load(const char *checkpoint, const dv_predictor_options *options,
                            dv_predictor **out);
void dv_predictor_free(dv_predictor *predictor);

int64_t dv_predictor_classes(const dv_predictor *predictor);
const char *dv_predictor_label(const dv_predictor *predictor, int64_t class);
const dv_frontend *dv_predictor_frontend(const dv_predictor *predictor);
const dv_checkpoint *dv_predictor_checkpoint(const dv_predictor *predictor);
const dv_graph *dv_predictor_graph(const dv_predictor *predictor);
/* To read and to replace; plans take what is written here at once. */
dv_params *dv_predictor_params(dv_predictor *predictor);
int64_t dv_predictor_parameters(const dv_predictor *predictor);
const char *dv_predictor_device(const dv_predictor *predictor); /* "cpu", "cuda", ... */

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
    bool longer;           /* the file, than the window */
    dv_seen seen;          /* of the file, by the model */
    dv_stretch *stretches; /* (stretch_count), where they are asked for */
    int64_t stretch_count;
} dv_answer;

/* Reads and answers `count` files, in parallel; a file that cannot be read fails alone, unless that
   is the system's fault (DV_ESYSTEM, DV_ENOMEM): then none is answered. A file that is not in
   order, or longer than the window, gets a warning. answers[i].logits must point to (classes)
   floats. */
dv_status dv_predictor_files(dv_predictor *predictor, const char *const *paths, int64_t count,
                             dv_answer *answers);

/* How files are answered for people. */
typedef struct dv_telling {
    bool streams; /* a path may be that of a pipe, and "-" is standard input */
    bool windows; /* in place of one answer, one for each window of the file: they follow each other
                     from its start, and the last one ends with it. Of a shorter file there is one.
                   */
    void (*tell)(void *user, int64_t i); /* called for each answer as soon as it and all before it
                                            are there, from one thread at a time; stretches live
                                            until then */
    void *user;
} dv_telling;

dv_status dv_predictor_files_told(dv_predictor *predictor, const char *const *paths, int64_t count,
                                  dv_answer *answers, const dv_telling *how);

/* Answers samples (count) at the model's rate in the calling thread: logits (classes), and which
   part of them was seen. The samples are prepared in place, and of no use afterwards. */
dv_status dv_predictor_samples(dv_predictor *predictor, float *samples, int64_t count,
                               float *logits, dv_seen *seen);

/* The same for clips of a loaded data set: logits (count, classes). */
dv_status dv_predictor_clips(dv_predictor *predictor, const dv_dataset *dataset,
                             const int64_t *indices, int64_t count, float *logits);

/* The longest file that is read, in seconds. */
enum { DV_PREDICTOR_MAX_SECONDS = 60 };

#endif
