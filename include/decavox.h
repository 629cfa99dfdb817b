/*
 * decavox: the C API, for C99 and C++. A checkpoint carries its front-end and its labels, so a
 * program that recognises words needs nothing else. A complete program:
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
 * Compile it with: cc say.c $(pkg-config --cflags --libs decavox)
 *
 * Threads may share a model. Each thread needs its own session, and a stream belongs to one
 * session. A function that can fail returns a dv_status, and dv_error_message describes the
 * failure. A pointer may be NULL only where its comment says so. A struct without a field `size`
 * never changes.
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

/* Defines TYPE_default(), which returns options with `size` set and all other fields 0. */
#define DV_OPTIONS_DEFAULT(type)                                                                   \
    static inline type type##_default(void)                                                        \
    {                                                                                              \
        type options;                                                                              \
        memset(&options, 0, sizeof options);                                                       \
        options.size = sizeof options;                                                             \
        return options;                                                                            \
    }

/* ---- Errors, messages, version ---- */

/* The status codes and their names. */
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

/* The message of this thread's latest failure. It is never NULL, and valid until the next failure.
   It is one line and safe to print: control characters and invalid UTF-8 are written as \xNN. */
DV_API const char *dv_error_message(void);

/* The version of the library, for example "0.1.0". */
DV_API const char *dv_version(void);

typedef enum dv_log_level { DV_LOG_DEBUG, DV_LOG_INFO, DV_LOG_WARNING } dv_log_level;

/*
 * A function that receives the library's log messages. `message` is one line without a newline,
 * safe to print, and valid only during the call. The function is called in the thread that opens
 * the model or that makes or uses a session of it, so several threads may call it at once. It must
 * not call the library: a lock of the model may be held, and dv_error_message would change.
 */
typedef void (*dv_log_fn)(void *user, dv_log_level level, const char *message);

/* ---- Models ---- */

/* An open checkpoint. It is immutable, and threads may share it. */
typedef struct dv_model dv_model;

/* Initialise all options with their TYPE_default(). Later versions may add fields at the end. */
typedef struct dv_model_options {
    size_t size;            /* sizeof(dv_model_options): tells the library which fields exist */
    const char *device;     /* "cpu", "cuda", "cuda:N", "ref" or "auto" (the first CUDA device, else
                               the CPU); NULL is "cpu" */
    const char *precision;  /* precision of products and, on a GPU, of activations: "fp32", "tf32",
                               "fp16" or "bf16"; NULL is "fp32" */
    const char *algorithms; /* how a GPU's libraries choose algorithms: "fixed", "kept" (the result
                               of an earlier measurement for this build, device and checkpoint, else
                               fixed), "measured" (measures now and keeps the result) or "any" (like
                               "measured", with nondeterministic ones allowed); NULL is "kept" */
    dv_log_fn log;          /* NULL drops all messages */
    void *log_user;         /* passed to `log` as `user` */
} dv_model_options;

DV_OPTIONS_DEFAULT(dv_model_options)

/*
 * Opens the checkpoint in the file `path`. `options` may be NULL. On failure *out is NULL, and the
 * message names the file, option or device at fault. The status is DV_EIO if the file cannot be
 * read; DV_EFORMAT if it is not a checkpoint, is damaged, or holds a model that cannot be built;
 * DV_EARG if an option has an invalid value; DV_EDEVICE if the device is not available;
 * DV_EUNSUPPORTED if the device lacks the precision; DV_ENOMEM if memory runs out.
 */
DV_API DV_MUST_CHECK dv_status dv_model_open(const char *path, const dv_model_options *options,
                                             dv_model **out);

/* Like dv_model_open, for a checkpoint in memory: the `size` bytes of such a file. They may be
   freed after the call. */
DV_API DV_MUST_CHECK dv_status dv_model_open_memory(const void *bytes, size_t size,
                                                    const dv_model_options *options,
                                                    dv_model **out);

/* Closes a model. Free its sessions first. `model` may be NULL. */
DV_API void dv_model_close(dv_model *model);

/* The number of labels, and so of the probabilities in an answer. */
DV_API size_t dv_model_label_count(const dv_model *model);

/* The label with this index, or NULL if there is none. It lives as long as the model. */
DV_API const char *dv_model_label(const dv_model *model, size_t index);

/* The model's sample rate in Hz. Sounds at other rates are resampled to it. */
DV_API int64_t dv_model_sample_rate(const dv_model *model);

/* The length of the model's window in seconds. The model sees one window of a longer sound. */
DV_API double dv_model_window(const dv_model *model);

/* The resolved configuration of the checkpoint as YAML. It lives as long as the model. */
DV_API const char *dv_model_card(const dv_model *model);

/* The model's device, for example "cpu", and its precision, for example "fp32". */
DV_API const char *dv_model_device(const dv_model *model);
DV_API const char *dv_model_precision(const dv_model *model);

/* ---- Sounds ---- */

/* The samples of one channel. Set either `samples` or `samples16`. */
typedef struct dv_sound {
    const float *samples;     /* (count), -1..1. Overshoots of a recorder are accepted. A sample
                                 that is not finite or beyond -16..16 gives DV_EARG: divide values
                                 of 16-bit range (32767.0) by 32,768, or use samples16. */
    const int16_t *samples16; /* (count), -32768..32767 */
    size_t count;             /* at most one minute, and enough for one sample at the model's rate:
                                 1, or 3 at a rate six times as high */
    int64_t sample_rate;      /* Hz, 100 to 768,000 */
} dv_sound;

/* The part of a sound that the model saw. The window covers the loudest word unless the
   checkpoint's configuration places it in the middle or at the start. `to` - `from` is less than a
   window if the window reaches beyond the sound. */
typedef struct dv_seen {
    double seconds;  /* length of the sound */
    double from, to; /* in seconds from the start of the sound */
} dv_seen;

/* ---- Sessions ---- */

/* The working memory for answers of a model. One thread at a time may use a session. A call with
   samples allocates nothing if every thread of the session has already answered a sound at least as
   long, and the sample rate is one of the latest 8. */
typedef struct dv_session dv_session;

typedef struct dv_session_options {
    size_t size;
    int capacity; /* sounds per batch, 1 to 4,096. A partly filled batch costs as much as a full
                     one: use 1 for the lowest latency, 16 or more for many sounds. 0 is 1. */
    int threads;  /* host threads that share the sounds of one call; -1 is one per physical core, 0
                     is 1. If that many cannot be started the session has fewer, and the log gets a
                     warning. Make a session of several threads in the thread that uses it. */
} dv_session_options;

DV_OPTIONS_DEFAULT(dv_session_options)

/*
 * Makes a session. On the CPU an answer depends, to the bit, only on its sound and the machine, and
 * not on the capacity, the threads or the other sounds of a call. On a GPU it also depends on the
 * capacity. `options` may be NULL. On failure *out is NULL, and the status is DV_EARG if an option
 * is out of range.
 */
DV_API DV_MUST_CHECK dv_status dv_session_create(dv_model *model, const dv_session_options *options,
                                                 dv_session **out);

/* Frees a session. Free its streams first. `session` may be NULL. */
DV_API void dv_session_free(dv_session *session);

/* Answers one sound. probabilities (label_count) are in the order of the labels and sum to 1.
   `seen` may be NULL. The status is DV_EARG if the sound is not as dv_sound requires, and
   DV_ENUMERIC if the answer is not finite. */
DV_API DV_MUST_CHECK dv_status dv_session_sound(dv_session *session, const dv_sound *sound,
                                                float *probabilities, dv_seen *seen);

/*
 * Answers `count` sounds: probabilities (count, label_count), seen (count), statuses (count).
 * `seen` and `statuses` may be NULL. If a sound fails, its probabilities are 0 and the others are
 * still answered. The call returns the status and the message of the first sound that failed. If
 * no sound can be answered (DV_ENOMEM, DV_EDEVICE, DV_ESYSTEM), all have that status.
 */
DV_API DV_MUST_CHECK dv_status dv_session_sounds(dv_session *session, const dv_sound *sounds,
                                                 size_t count, float *probabilities, dv_seen *seen,
                                                 dv_status *statuses);

/*
 * Answers a file, as `decavox predict` does. The file may have any format that libsndfile reads,
 * any sample rate, and last up to a minute. The status is DV_EIO or DV_EFORMAT if the file is
 * missing, empty, damaged, too long or not a sound, and DV_ESYSTEM if the system cannot read it
 * (too many open files, a failing disk). The message names the file. The log is warned of a file
 * that is longer than the window or has a fault (its recorder was stopped, its channels cancel).
 */
DV_API DV_MUST_CHECK dv_status dv_session_file(dv_session *session, const char *path,
                                               float *probabilities, dv_seen *seen);

/* Like dv_session_sounds, for `count` files. The threads of the session read them in parallel. */
DV_API DV_MUST_CHECK dv_status dv_session_files(dv_session *session, const char *const *paths,
                                                size_t count, float *probabilities, dv_seen *seen,
                                                dv_status *statuses);

/* ---- Streams ---- */

/*
 * A sound that arrives in pieces and may never end. It is resampled to the model's rate as one
 * sound. Windows of the model's length begin every `hop`, from the start of the stream. The answer
 * to each is, to the bit, that of dv_session_sound for its samples, whatever the pieces were.
 */
typedef struct dv_stream dv_stream;

typedef struct dv_stream_options {
    size_t size;
    int64_t sample_rate; /* sample rate of the pieces in Hz; 0 is the model's rate */
    double hop;          /* s between the starts of two windows, at most one window, rounded to
                            whole samples at the model's rate; 0 is a quarter of a window */
    double smoothing;    /* s, 0 to 60. `smoothed` is the mean over the latest window and those that
                            begin at most this long before it: three windows for two hops, the
                            latest one alone for 0. */
    /* (label_count) smoothed probability, 0 to 1, from which a word counts as heard. A word with a
       threshold above 1 is never heard. NULL is 0.5 for all. */
    const float *thresholds;
} dv_stream_options;

DV_OPTIONS_DEFAULT(dv_stream_options)

/* The answer to one window of a stream. The arrays live until the next call with the stream. */
typedef struct dv_stream_window {
    double from, to;            /* s from the start of the stream */
    const float *probabilities; /* (label_count) probabilities of this window alone */
    const float *smoothed;      /* (label_count) mean over `smoothing` */
    size_t label;               /* the label with the highest smoothed probability */
    float probability;          /* smoothed probability of `label` */
    int heard;                  /* 1 if `label` is heard and was not in the window before */
} dv_stream_window;

/* Makes a stream. The stream borrows the session, which must outlive it and may serve other calls
   in between. `options` may be NULL. On failure *out is NULL, and the status is DV_EARG if an
   option is out of range. */
DV_API DV_MUST_CHECK dv_status dv_stream_create(dv_session *session,
                                                const dv_stream_options *options, dv_stream **out);

/* Frees a stream. `stream` may be NULL. */
DV_API void dv_stream_free(dv_stream *stream);

/* Takes the next `count` samples, as dv_sound describes them. The status is DV_EARG, and none is
   taken, if a sample is invalid, the stream has ended, or over a minute would wait to be polled. */
DV_API DV_MUST_CHECK dv_status dv_stream_accept(dv_stream *stream, const float *samples,
                                                size_t count);
DV_API DV_MUST_CHECK dv_status dv_stream_accept_int16(dv_stream *stream, const int16_t *samples,
                                                      size_t count);

/* Ends the stream. If the last samples are in no window yet, a final window ends with them. A
   stream shorter than a window has the final window only. */
DV_API DV_MUST_CHECK dv_status dv_stream_end(dv_stream *stream);

/* Answers the next window and sets *there to 1. If the window is not complete yet, *there becomes 0
   and *window stays unchanged. A failed call may be repeated for the same window. */
DV_API DV_MUST_CHECK dv_status dv_stream_poll(dv_stream *stream, dv_stream_window *window,
                                              int *there);

/* Begins a new sound with the same options. Windows that were not polled are lost. */
DV_API void dv_stream_reset(dv_stream *stream);

/* ---- Configurations ---- */

/* A configuration file with settings applied to it: the model, the data and the training. Several
   threads may train from one configuration at the same time as long as none changes it. */
typedef struct dv_config dv_config;

/*
 * Opens the configuration in the file `path`. If there is no such file and the path begins with
 * "configs/", it names a configuration that comes with decavox, for example "configs/mini.yaml". On
 * failure *out is NULL, and the message names the file and the line. The status is DV_EIO if a file
 * cannot be read, DV_ECONFIG if one is invalid, and DV_EARG if the path is too long.
 */
DV_API DV_MUST_CHECK dv_status dv_config_open(const char *path, dv_config **out);

/* Frees a configuration. `config` may be NULL. */
DV_API void dv_config_free(dv_config *config);

/*
 * Applies `count` settings to the configuration, all of them or none. Each has the form "KEY=VALUE"
 * of `decavox train --set`, for example "train.epochs=30"; a list or a map is YAML in one line.
 * Later settings replace earlier ones. The call reads the file again. The status is DV_EARG if a
 * text is not a setting, DV_ECONFIG if the key does not exist or does not accept the value, and
 * DV_EIO if the file no longer exists.
 */
DV_API DV_MUST_CHECK dv_status dv_config_set(dv_config *config, const char *const *settings,
                                             size_t count);

/* The resolved configuration as YAML. It lives until the configuration is changed or freed. */
DV_API const char *dv_config_text(const dv_config *config);

/* ---- Training ---- */

/* The caller's answer to a progress report. Giving an answer once is enough. */
typedef enum dv_train_next {
    DV_TRAIN_CONTINUE,
    DV_TRAIN_PAUSE, /* Save, and return DV_EINTERRUPTED; the training can be resumed. An update that
                       has begun (train.accumulate) is completed first. A training that has just
                       done its last update ends as usual. */
    DV_TRAIN_FINISH /* Make the current epoch the last one. If it belongs to the pretraining, the
                       training itself begins next. */
} dv_train_next;

/* The progress of a training. Unknown numbers are NaN. With a section `pretrain` in the
   configuration, its epochs come first, and then those of the training itself, from 1 again. */
typedef struct dv_train_progress {
    int pretraining;       /* 1 during the training of the section `pretrain`, else 0 */
    int64_t epoch, epochs; /* current epoch, from 1, and the largest possible number of epochs */
    int64_t step, steps;   /* batches of this epoch that are done, and all batches of it */
    int epoch_ended;       /* 1 after an epoch; 0 after a step: only the loss so far is known */
    double loss, accuracy; /* means over the training clips; an accuracy is a share, 0 to 1 */
    double validation_loss, validation_accuracy;
    double learning_rate; /* learning rate of the last update */
    double seconds;       /* duration of the epoch */
    int improved;         /* 1 if the validation result is the best so far */
} dv_train_progress;

/* A function that receives the progress in the training thread, and returns what to do next. */
typedef dv_train_next (*dv_train_fn)(void *user, const dv_train_progress *progress);

typedef struct dv_train_options {
    size_t size;
    const char *folder; /* folder of the run, created if missing, for model.safetensors,
                           last.safetensors, config.yaml, metrics.csv, log.txt, report.json,
                           report.html, confusion.csv and events for TensorBoard */
    int resume;         /* 1 resumes the interrupted run in the folder; 0 begins a new run */
    const char *device; /* see dv_model_options; NULL is "auto" */
    int threads;        /* host threads, up to 1,024; 0 is one per physical core */
    dv_log_fn log;      /* receives the lines of log.txt except that of a failure, which is the
                           message of the call; NULL drops them */
    void *log_user;
    dv_train_fn progress; /* called after each step (on a GPU, after every train.report_steps
                             steps) and after each epoch; NULL trains to the end */
    void *user;           /* passed to `progress` as `user` */
} dv_train_options;

DV_OPTIONS_DEFAULT(dv_train_options)

/* The result of a training. */
typedef struct dv_train_result {
    int64_t epochs;                  /* epochs that are done */
    int64_t best_epoch;              /* epoch with the best validation, from 1; 0 if none */
    double best_accuracy, best_loss; /* validation accuracy and loss after that epoch */
    /* The final model on the test part, or on the validation part if there is no test part. */
    int is_test;            /* 1 if it is the test part */
    int64_t correct, count; /* correct answers, and all answers; both are 0 without either part */
    double loss;            /* mean cross-entropy */
} dv_train_result;

/*
 * Trains. The result is that of `decavox train` with the same configuration, to the byte. Trainings
 * in different folders may run at the same time, each in a thread of its own. `config` may be NULL
 * if options->resume is 1, because the folder holds the configuration of the run. If one is given
 * to resume, it may differ from the run's only in train.epochs and in the paths of data, noise and
 * teachers; an empty path is taken from the run.
 *
 * `out` may be NULL. The status is DV_EINTERRUPTED if `progress` has paused the training; the state
 * is saved then, and *out tells how far it got. It is DV_EARG if the folder is in use or holds
 * another run, if the run to resume is another one, or if an option is out of range; DV_ECONFIG,
 * DV_EIO or DV_EFORMAT if the configuration, the folder or the data are faulty; DV_ENUMERIC if the
 * training diverges; DV_EDEVICE or DV_ENOMEM if the device fails or memory runs out.
 */
DV_API DV_MUST_CHECK dv_status dv_train(const dv_config *config, const dv_train_options *options,
                                        dv_train_result *out);

/* ---- Evaluation ---- */

/* The measurement of a model on the clips of a data set. */
typedef struct dv_evaluation dv_evaluation;

typedef struct dv_evaluation_options {
    size_t size;
    const char *data;    /* folder or manifest; NULL is the data of the training */
    const char *split;   /* "official", "speaker", ...; NULL is the split of the training */
    const char *part;    /* "train", "validation", "test" or "all"; NULL is "test" */
    const char *exclude; /* CSV file that names files to leave out; NULL is that of the training */
    int threads;         /* host threads, up to 1,024; 0 is one per physical core */
} dv_evaluation_options;

DV_OPTIONS_DEFAULT(dv_evaluation_options)

/*
 * Evaluates a model, as `decavox eval` does. Faults in the data go to the model's log. `options`
 * may be NULL. On failure *out is NULL. The status is DV_EIO or DV_EFORMAT if the data cannot be
 * read, have no clip in the part, or have a label that the model lacks; DV_ECONFIG if the split
 * does not exist; DV_EARG if another option has an invalid value.
 */
DV_API DV_MUST_CHECK dv_status dv_evaluate(dv_model *model, const dv_evaluation_options *options,
                                           dv_evaluation **out);

/* Frees an evaluation. Do so before closing its model. `evaluation` may be NULL. */
DV_API void dv_evaluation_free(dv_evaluation *evaluation);

/* The number of clips that were answered, and of correct answers. */
DV_API int64_t dv_evaluation_count(const dv_evaluation *evaluation);
DV_API int64_t dv_evaluation_correct(const dv_evaluation *evaluation);

/* The mean cross-entropy. */
DV_API double dv_evaluation_loss(const dv_evaluation *evaluation);

/* The number of clips of label `truth` that got the answer `answer`, both label indices. */
DV_API int64_t dv_evaluation_confusion(const dv_evaluation *evaluation, size_t truth,
                                       size_t answer);

/* All figures, as `decavox eval --format json` prints them. They live as long as the evaluation. */
DV_API const char *dv_evaluation_json(const dv_evaluation *evaluation);

/* ---- Export ---- */

typedef struct dv_export_options {
    size_t size;
    const char *format;    /* "onnx", "torchscript", "pt2" or "safetensors" (only the weights); NULL
                              decides by the ending of the path: .onnx, .pt, .pt2 or .safetensors */
    const char *input;     /* input of the file's model: "audio" (samples at the model's rate),
                              "features" or "log_mel" (mel bands in decibels, for the front-end ced
                              only); NULL is "audio" */
    const char *precision; /* precision of the network, "fp32" or "fp16"; the rest is always FP32;
                              NULL is "fp32" */
    int64_t batch;         /* fixed batch size, up to 2,147,483,647; 0 is any size */
    const char *license;   /* the model's licence, UTF-8, for the metadata; NULL writes none */
    int force;             /* 1 also replaces a file that export did not write */
} dv_export_options;

DV_OPTIONS_DEFAULT(dv_export_options)

/*
 * Writes a model for other runtimes, from its input to the probabilities, or only its weights. The
 * file is that of `decavox export`, to the byte, and is written completely or not at all. `options`
 * may be NULL.
 *
 * An existing file is replaced if export wrote it or if options->force is 1. The checkpoint itself,
 * a sound file and the state of a run are never replaced.
 *
 * The status is DV_EARG if an option has an invalid value, if an option has no effect on an export
 * of weights, if the ending of the path names no format, or if the file is one that is never
 * replaced; DV_EIO if the file cannot be written, or exists and is not replaced; DV_ECONFIG if the
 * model does not support the input; DV_ENUMERIC if a weight is too large for FP16.
 */
DV_API DV_MUST_CHECK dv_status dv_export(dv_model *model, const char *path,
                                         const dv_export_options *options);

#ifdef __cplusplus
}
#endif

#endif
