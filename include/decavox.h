/*
 * decavox: the C API, for C99 and C++. A checkpoint carries its front-end and its labels, so a
 * program that recognises words needs nothing else. A complete one:
 *
 *     #include <decavox.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         dv_model *model = NULL;
 *         dv_session *session = NULL;
 *         float *probabilities = NULL;
 *         dv_status status = argc == 3 ? dv_model_open(argv[1], NULL, &model) : DV_EARG;
 *         if (status == DV_OK)
 *             status = dv_session_create(model, NULL, &session);
 *         if (status == DV_OK) {
 *             probabilities = (float *)calloc(dv_model_label_count(model), sizeof(float));
 *             status = probabilities == NULL
 *                          ? DV_ENOMEM
 *                          : dv_session_file(session, argv[2], probabilities, NULL);
 *         }
 *         for (size_t i = 0; status == DV_OK && i < dv_model_label_count(model); i++)
 *             printf("%s %.4f\n", dv_model_label(model, i), probabilities[i]);
 *         if (status != DV_OK)
 *             fprintf(stderr, "%s: %s\n", dv_status_text(status), dv_error_message());
 *         free(probabilities);
 *         dv_session_free(session);
 *         dv_model_close(model);
 *         return status == DV_OK ? 0 : 1;
 *     }
 *
 * It is compiled with: cc say.c $(pkg-config --cflags --libs decavox)
 *
 * Threads share a model. Each thread has a session of its own, and a stream belongs to one session.
 * A function that can fail returns a dv_status, and dv_error_message then says what is wrong. A
 * pointer may be NULL only where that is said. A struct without a field `size` stays as it is.
 */
#ifndef DECAVOX_H
#define DECAVOX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DV_API __attribute__((visibility("default")))
#define DV_MUST_CHECK __attribute__((warn_unused_result))

/* Defines TYPE_default(): options that say nothing but their size, which tells their fields. */
#define DV_OPTIONS_DEFAULT(type)                                                                   \
    static inline type type##_default(void)                                                        \
    {                                                                                              \
        type options;                                                                              \
        memset(&options, 0, sizeof options);                                                       \
        options.size = sizeof options;                                                             \
        return options;                                                                            \
    }

/* ---- Errors, messages, version ---- */

/* Status codes: one list gives the enum and the names. */
#define DV_STATUS_LIST(X)                                                                          \
    X(OK, "no error")                                                                              \
    X(EARG, "invalid argument")                                                                    \
    X(ESHAPE, "shapes do not fit")                                                                 \
    X(ENOMEM, "out of memory")                                                                     \
    X(EIO, "input or output failed")                                                               \
    X(EFORMAT, "malformed data")                                                                   \
    X(ECONFIG, "invalid configuration")                                                            \
    X(EDEVICE, "device failure")                                                                   \
    X(EUNSUPPORTED, "not supported")                                                               \
    X(ENUMERIC, "not a finite number")                                                             \
    X(EINTERRUPTED, "interrupted")                                                                 \
    X(ESYSTEM, "the system failed")

typedef enum dv_status {
#define DV_STATUS_CODE(name, text) DV_##name,
    DV_STATUS_LIST(DV_STATUS_CODE)
#undef DV_STATUS_CODE
} dv_status;

/* The name of a status code, for example "shapes do not fit". */
DV_API const char *dv_status_text(dv_status status);

/* The message of this thread's latest failure. It is valid until the next failure, and never NULL.
   It is one line that is fit for a terminal: control characters and bytes that are no UTF-8 stand
   in it as \xNN. */
DV_API const char *dv_error_message(void);

/* The version of the library, for example "0.1.0". */
DV_API const char *dv_version(void);

typedef enum dv_log_level { DV_LOG_DEBUG, DV_LOG_INFO, DV_LOG_WARNING } dv_log_level;

/*
 * A function that receives the messages of the library. `message` is one line as above, without a
 * newline, and lives for the call only. The thread that opens the model, or makes or uses a session
 * of it, calls the function, and several threads may do so at once. The function must not call the
 * library: a lock of the model may be held meanwhile, and dv_error_message would change.
 */
typedef void (*dv_log_fn)(void *user, dv_log_level level, const char *message);

/* ---- Models ---- */

/* An opened checkpoint. It does not change, and threads share it. */
typedef struct dv_model dv_model;

/* Options begin as dv_model_options_default has them. Later versions may add fields at the end. */
typedef struct dv_model_options {
    size_t size;            /* sizeof(dv_model_options), by which the library knows its fields */
    const char *device;     /* "cpu", "cuda", "cuda:N", "ref" or "auto" (the first CUDA device, or
                               the CPU where there is none); NULL is "cpu" */
    const char *precision;  /* of products and, on a GPU, of activations: "fp32", "tf32", "fp16" or
                               "bf16"; NULL is "fp32" */
    const char *algorithms; /* of a GPU's libraries: "fixed", "kept" (those that were measured
                               before for this build, device and checkpoint, and fixed ones where
                               there are none), "measured" (now, and kept) or "any" (measured, also
                               those that are not repeatable); NULL is "kept" */
    dv_log_fn log;          /* NULL drops all messages */
    void *log_user;         /* what `log` gets as `user` */
} dv_model_options;

DV_OPTIONS_DEFAULT(dv_model_options)

/*
 * Opens the checkpoint in the file `path`. `options` may be NULL. On failure *out is NULL, and the
 * message names the file, or the option or the device that is wrong. The status is DV_EIO if the
 * file cannot be read; DV_EFORMAT if it is no checkpoint, is damaged, or holds a model that cannot
 * be built; DV_EARG if an option has no such value; DV_EDEVICE if the device cannot be had;
 * DV_EUNSUPPORTED if the device does not have the precision; DV_ENOMEM if memory runs out.
 */
DV_API DV_MUST_CHECK dv_status dv_model_open(const char *path, const dv_model_options *options,
                                             dv_model **out);

/* Opens a checkpoint that lies in memory, the bytes (size) of a file. They are not needed any more
   afterwards. All else is as with dv_model_open. */
DV_API DV_MUST_CHECK dv_status dv_model_open_memory(const void *bytes, size_t size,
                                                    const dv_model_options *options,
                                                    dv_model **out);

/* Closes a model, whose sessions have been freed before. `model` may be NULL. */
DV_API void dv_model_close(dv_model *model);

/* The number of labels, which is that of the probabilities of an answer. */
DV_API size_t dv_model_label_count(const dv_model *model);

/* The label with this index, or NULL if there is none. It lives as long as the model. */
DV_API const char *dv_model_label(const dv_model *model, size_t index);

/* The model's rate in Hz. Sounds at other rates are resampled to it. */
DV_API int64_t dv_model_sample_rate(const dv_model *model);

/* The window in seconds that the model looks at. Of a longer sound it sees one such window. */
DV_API double dv_model_window(const dv_model *model);

/* The resolved configuration of the checkpoint, YAML. It lives as long as the model. */
DV_API const char *dv_model_card(const dv_model *model);

/* The device that the model is on, for example "cpu", and its precision, for example "fp32". */
DV_API const char *dv_model_device(const dv_model *model);
DV_API const char *dv_model_precision(const dv_model *model);

/* ---- Sounds ---- */

/* Samples of one channel. Either `samples` or `samples16` is set. */
typedef struct dv_sound {
    const float *samples;     /* (count), -1..1. A recorder's overshoots are taken, too, but a
                                 sample beyond -16..16 is DV_EARG: such numbers are 16-bit ones
                                 (32767.0), and belong into samples16 or are to be divided by
                                 32,768. So is a sample that is not a finite number. */
    const int16_t *samples16; /* (count), -32768..32767 */
    size_t count;             /* at most those of a minute, and at least as many as make one sample
                                 at the model's rate: 1, or 3 at a rate six times as high */
    int64_t sample_rate;      /* Hz, 100 to 768,000 */
} dv_sound;

/* Which part of a sound an answer is of. The window lies on the loudest word unless the
   checkpoint's configuration places it in the middle or at the start. `to` - `from` is less than
   the window where that reaches beyond the sound. */
typedef struct dv_seen {
    double seconds;  /* length of the sound */
    double from, to; /* what was seen of it, in seconds from its start */
} dv_seen;

/* ---- Sessions ---- */

/* What a thread needs to get answers of a model, made once. On one thread, a call with samples
   allocates nothing once its sounds are no longer than those of an earlier call and at one of the
   latest 8 rates; each further thread of the session's has to have heard such a sound, too. */
typedef struct dv_session dv_session;

typedef struct dv_session_options {
    size_t size;
    int capacity; /* sounds that are computed at a time, 1 to 4,096; 0 is 1. Fewer of them cost as
                     much as all: 1 is for the shortest time to an answer, 16 and more are for many
                     sounds at once. */
    int threads;  /* of the host, for sounds of one call; 0 is 1, -1 is as many as there are
                     physical cores. A session of several is made in the thread that uses it: where
                     so many cannot be made, it has fewer, and the log is warned. */
} dv_session_options;

DV_OPTIONS_DEFAULT(dv_session_options)

/*
 * Makes a session. On the CPU an answer depends on nothing but its sound and the machine, to the
 * bit: not on the capacity, nor on the threads, nor on the other sounds of a call. On a GPU it
 * depends on the capacity, too. `options` may be NULL. On failure *out is NULL, and the status is
 * DV_EARG if an option is out of its range.
 */
DV_API DV_MUST_CHECK dv_status dv_session_create(dv_model *model, const dv_session_options *options,
                                                 dv_session **out);

/* Frees a session, whose streams have been freed before. `session` may be NULL. */
DV_API void dv_session_free(dv_session *session);

/* Answers one sound. probabilities (label_count) are in the order of the labels and sum to 1.
   `seen` may be NULL. The status is DV_EARG if the sound is not as dv_sound describes it, and
   DV_ENUMERIC if the model's weights give no finite answer. */
DV_API DV_MUST_CHECK dv_status dv_session_sound(dv_session *session, const dv_sound *sound,
                                                float *probabilities, dv_seen *seen);

/*
 * Answers `count` sounds: probabilities (count, label_count), seen (count), statuses (count).
 * `seen` and `statuses` may be NULL. A sound that fails fails alone, and its probabilities are 0.
 * The call then has the status and the message of the first sound that failed. If nothing can be
 * answered (DV_ENOMEM, DV_EDEVICE, DV_ESYSTEM), every sound has that status.
 */
DV_API DV_MUST_CHECK dv_status dv_session_sounds(dv_session *session, const dv_sound *sounds,
                                                 size_t count, float *probabilities, dv_seen *seen,
                                                 dv_status *statuses);

/*
 * Answers a file, as `decavox predict` does. The file may have any format that libsndfile reads,
 * any rate, and up to a minute. The status is DV_EIO or DV_EFORMAT if the file is missing, empty,
 * damaged, too long or no sound, and DV_ESYSTEM if the system cannot read it (too many open files,
 * a failing disk). The message names the file. The log gets a warning if a file is read although it
 * is not in order (a recorder that was stopped, channels that cancel each other), and if it is
 * longer than the window.
 */
DV_API DV_MUST_CHECK dv_status dv_session_file(dv_session *session, const char *path,
                                               float *probabilities, dv_seen *seen);

/* Answers `count` files as dv_session_sounds does. The session's threads read them side by side. */
DV_API DV_MUST_CHECK dv_status dv_session_files(dv_session *session, const char *const *paths,
                                                size_t count, float *probabilities, dv_seen *seen,
                                                dv_status *statuses);

/* ---- Streams ---- */

/*
 * A sound that comes piece by piece and may never end. Windows of the model's length follow each
 * other in it, `hop` apart from its start, and each is answered as dv_session_sound answers these
 * very samples: to the bit, whatever the pieces were. Those are the samples at the model's rate; a
 * stream at another one is resampled as one sound.
 */
typedef struct dv_stream dv_stream;

typedef struct dv_stream_options {
    size_t size;
    int64_t sample_rate; /* of the pieces, Hz; 0 is the model's */
    double hop;          /* s from window to window, up to one window, rounded to whole samples at
                            the model's rate; 0 is a quarter of a window */
    double smoothing;    /* s, 0 to 60. `smoothed` is the mean of the windows that begin within this
                            time up to the latest one: of three windows if it is two hops, and of
                            the latest one alone if it is 0. */
    const float
        *thresholds; /* (label_count) the probability from which a word is heard, 0 to 1. A
                        word with a threshold above 1 is never heard. NULL is 0.5 for all. */
} dv_stream_options;

DV_OPTIONS_DEFAULT(dv_stream_options)

/* One window of a stream. */
typedef struct dv_stream_window {
    double from, to;            /* s from the start of the stream */
    const float *probabilities; /* (label_count) of this window; they live until the next call that
                                   is given the stream, as `smoothed` does */
    const float *smoothed;      /* (label_count) averaged as the options say */
    size_t label;               /* the label with the highest smoothed probability */
    float probability;          /* this probability */
    int heard;                  /* 1: it reaches its threshold, and did not in the window before */
} dv_stream_window;

/* Makes a stream. The session is borrowed, and must outlive the stream; other calls may use it in
   between. `options` may be NULL. On failure *out is NULL, and the status is DV_EARG if an option
   is out of its range. */
DV_API DV_MUST_CHECK dv_status dv_stream_create(dv_session *session,
                                                const dv_stream_options *options, dv_stream **out);

/* Frees a stream. `stream` may be NULL. */
DV_API void dv_stream_free(dv_stream *stream);

/* Takes the next samples (count), as dv_sound describes them. The status is DV_EARG, and nothing is
   taken, if a sample is wrong, the stream has ended, or over a minute would wait to be polled. */
DV_API DV_MUST_CHECK dv_status dv_stream_accept(dv_stream *stream, const float *samples,
                                                size_t count);
DV_API DV_MUST_CHECK dv_status dv_stream_accept_int16(dv_stream *stream, const int16_t *samples,
                                                      size_t count);

/* Tells that the stream is at its end. Samples that no window has held yet are answered too, by one
   that ends with the stream. A stream that is shorter than a window has this one alone. */
DV_API DV_MUST_CHECK dv_status dv_stream_end(dv_stream *stream);

/* Answers the next window and sets *there to 1. If that window is not complete yet, *there becomes
   0 and *window stays as it was. A failed call may be repeated: it is about the same window. */
DV_API DV_MUST_CHECK dv_status dv_stream_poll(dv_stream *stream, dv_stream_window *window,
                                              int *there);

/* Begins a new sound with the same options. What has not been polled is lost. */
DV_API void dv_stream_reset(dv_stream *stream);

/* ---- Configurations ---- */

/* What is trained, on which data and how: a configuration file with settings laid over it. Threads
   may train of one configuration at the same time, as long as none changes it. */
typedef struct dv_config dv_config;

/*
 * Opens the configuration in the file `path`. A path that begins with "configs/" and that no file
 * has is that of a configuration that comes with decavox, "configs/mini.yaml" for example. On
 * failure *out is NULL. The status is DV_EIO if a file cannot be read, DV_ECONFIG if one is wrong,
 * and DV_EARG if the path is too long; the message names the file and the line.
 */
DV_API DV_MUST_CHECK dv_status dv_config_open(const char *path, dv_config **out);

/* Frees a configuration. `config` may be NULL. */
DV_API void dv_config_free(dv_config *config);

/*
 * Lays settings (count) over the configuration, all of them or none. Each is a text "KEY=VALUE",
 * "train.epochs=30" for example, as `decavox train --set` takes it: a list or a map is written as
 * YAML has it in one line. Later settings replace earlier ones. The file is read anew. The status
 * is DV_EARG if a text is no setting, DV_ECONFIG if there is no such key, or if the value is not
 * one that it takes, and DV_EIO if the file is not there any more.
 */
DV_API DV_MUST_CHECK dv_status dv_config_set(dv_config *config, const char *const *settings,
                                             size_t count);

/* The resolved configuration, YAML. It lives until the configuration is changed or freed. */
DV_API const char *dv_config_text(const dv_config *config);

/* ---- Training ---- */

/* What a training does next, as its caller says it. To say it once is enough. */
typedef enum dv_train_next {
    DV_TRAIN_CONTINUE,
    DV_TRAIN_PAUSE, /* It saves and ends with DV_EINTERRUPTED; it can be resumed from there. With
                       train.accumulate the steps of an update come first. A training that is at its
                       end ends as usual. */
    DV_TRAIN_FINISH /* The epoch at hand is its last one. Where that is one of the section
                       `pretrain`, the training itself begins then. */
} dv_train_next;

/* How far a training is. What is not known is NaN. Where the configuration has a section
   `pretrain`, that is told first, and then the training itself, from epoch 1 again. */
typedef struct dv_train_progress {
    int pretraining;       /* 1: this is of the training before, section `pretrain` */
    int64_t epoch, epochs; /* the epoch at hand, from 1, and how many there will be at most */
    int64_t step, steps;   /* batches of this epoch that are done, and that it has */
    int epoch_ended;       /* 1: what follows is of the whole epoch; 0: loss alone, so far */
    double loss, accuracy; /* mean over the training clips; the accuracy is a share, 0 to 1 */
    double validation_loss, validation_accuracy;
    double learning_rate; /* of the last update */
    double seconds;       /* that the epoch took */
    int improved;         /* 1: the validation is the best so far */
} dv_train_progress;

/* A function that the thread that trains tells how far it is, and that says what comes next. */
typedef dv_train_next (*dv_train_fn)(void *user, const dv_train_progress *progress);

typedef struct dv_train_options {
    size_t size;
    const char *folder; /* of the run. It is made, and gets what `decavox train` leaves:
                           model.safetensors, last.safetensors, config.yaml, metrics.csv, log.txt,
                           report.json, report.html, confusion.csv and events for TensorBoard. */
    int resume;         /* 1: goes on with the run in the folder, where it was interrupted */
    const char *device; /* as dv_model_options has it; NULL is "auto" */
    int threads;        /* of the host, 0 to 1,024; 0 is as many as there are physical cores */
    dv_log_fn log; /* gets each line that goes into log.txt, but for that of a failure, which is
                      the message of the call; NULL drops them */
    void *log_user;
    dv_train_fn progress; /* is called after each step, on a GPU after every train.report_steps
                             steps, and after each epoch; NULL: the training goes on to its end */
    void *user;           /* what `progress` gets as `user` */
} dv_train_options;

DV_OPTIONS_DEFAULT(dv_train_options)

/* What a training has come to. */
typedef struct dv_train_result {
    int64_t epochs;                  /* that are done */
    int64_t best_epoch;              /* by the validation, from 1; 0: there was none */
    double best_accuracy, best_loss; /* of the validation clips after that epoch */
    /* Of the model that was left, by the clips of the test part, or of the validation part where
       there is no test part. */
    int is_test;            /* 1: they are those of the test part */
    int64_t correct, count; /* right answers, of so many; 0 of 0 where there are neither */
    double loss;            /* mean cross-entropy */
} dv_train_result;

/*
 * Trains. The training is the one of `decavox train` with the same configuration, to the byte.
 * Trainings in different folders may run at the same time, each in a thread of its own. `config`
 * may be NULL if options->resume is 1: a run that goes on has its configuration in its folder.
 * Given, it may differ from that in where the data lie and in train.epochs alone; what it leaves
 * empty of the former is as the run has it.
 *
 * `out` may be NULL. The status is DV_EINTERRUPTED if `progress` has paused the training; the state
 * is saved, and *out says how far it came. It is DV_EARG if the folder is in use or holds another
 * run, if the run to resume is another one, or if an option is out of its range; DV_ECONFIG, DV_EIO
 * or DV_EFORMAT if configuration, folder or data are not in order; DV_ENUMERIC if the training has
 * diverged; DV_EDEVICE or DV_ENOMEM if the machine does not allow it.
 */
DV_API DV_MUST_CHECK dv_status dv_train(const dv_config *config, const dv_train_options *options,
                                        dv_train_result *out);

/* ---- Evaluation ---- */

/* A checkpoint measured on the clips of a data set. */
typedef struct dv_evaluation dv_evaluation;

typedef struct dv_evaluation_options {
    size_t size;
    const char *data;    /* folder or manifest; NULL is what the model was trained on */
    const char *split;   /* "official", "speaker", ...; NULL is as the model was trained */
    const char *part;    /* "train", "validation", "test" or "all"; NULL is "test" */
    const char *exclude; /* CSV file that names files to be left out; NULL is as it was trained */
    int threads;         /* of the host, 0 to 1,024; 0 is as many as there are physical cores */
} dv_evaluation_options;

DV_OPTIONS_DEFAULT(dv_evaluation_options)

/*
 * Evaluates a model, as `decavox eval` does. The log of the model is told what is found in the
 * data. `options` may be NULL. On failure *out is NULL. The status is DV_EIO or DV_EFORMAT if the
 * data cannot be read, have no clip in the part, or have a label that the model does not know;
 * DV_ECONFIG if there is no such split; DV_EARG if another option has no such value.
 */
DV_API DV_MUST_CHECK dv_status dv_evaluate(dv_model *model, const dv_evaluation_options *options,
                                           dv_evaluation **out);

/* Frees an evaluation, before its model. `evaluation` may be NULL. */
DV_API void dv_evaluation_free(dv_evaluation *evaluation);

/* How many clips were answered, and how many of them rightly. */
DV_API int64_t dv_evaluation_count(const dv_evaluation *evaluation);
DV_API int64_t dv_evaluation_correct(const dv_evaluation *evaluation);

/* The mean cross-entropy. */
DV_API double dv_evaluation_loss(const dv_evaluation *evaluation);

/* How many clips of the label `truth` were answered with `answer`, both indices of dv_model_label.
 */
DV_API int64_t dv_evaluation_confusion(const dv_evaluation *evaluation, size_t truth,
                                       size_t answer);

/* All figures as `decavox eval --format json` prints them. They live as long as the evaluation. */
DV_API const char *dv_evaluation_json(const dv_evaluation *evaluation);

/* ---- Export ---- */

typedef struct dv_export_options {
    size_t size;
    const char *format; /* "onnx", "torchscript", "pt2" or "safetensors" (the weights alone); NULL:
                           by the ending of the path, .onnx, .pt, .pt2 or .safetensors */
    const char *input;  /* of the file: "audio" (samples at the model's rate; NULL), "features" or
                           "log_mel" (mel bands in decibels, of a model with the front-end ced) */
    const char *precision; /* of the network: "fp32" (NULL) or "fp16"; all else is FP32 */
    int64_t batch;         /* clips that the file takes at a time, up to 2,147,483,647; 0 is any */
    const char *license;   /* of the model, UTF-8, for the file's notes; NULL: it is not noted */
    int force;             /* 1: a file that export did not write is replaced, too */
} dv_export_options;

DV_OPTIONS_DEFAULT(dv_export_options)

/*
 * Writes a model for other runtimes, from its input to the probabilities, or its weights alone, as
 * `decavox export` does and to the byte: whole or not at all. `options` may be NULL.
 *
 * A file that is there is replaced if it is one that export wrote, or if options->force is 1. Never
 * replaced are the checkpoint itself, a sound file, and the state of a run.
 *
 * The status is DV_EARG if an option has no such value or no effect on weights alone, if the path
 * tells no format, or if the file is never replaced; DV_EIO if the file cannot be written, or is
 * there and is not replaced; DV_ECONFIG if the model does not take the input; DV_ENUMERIC if a
 * weight is too large for FP16.
 */
DV_API DV_MUST_CHECK dv_status dv_export(dv_model *model, const char *path,
                                         const dv_export_options *options);

#ifdef __cplusplus
}
#endif

#endif
