/*
 * Compares models by measurements on this machine: size, work, speed and memory. The accuracy comes
 * from the card of a model or the report of its run. Each model is measured in processes of its
 * own, so that it does not affect the figures of another. Measurements are stored for later calls.
 *
 *     dv_comparison all;
 *     DV_TRY(dv_comparison_list(&options, &events, files, count, &all));
 *     DV_TRY(dv_comparison_measure(&all));
 *     dv_comparison_table(&all, stdout);
 *     dv_comparison_free(&all);
 */
#ifndef DV_COMPARE_COMPARISON_H
#define DV_COMPARE_COMPARISON_H

#include "engine/base/field.h"
#include "engine/base/log.h"
#include "engine/base/sha256.h"
#include "engine/base/yaml.h"
#include "frontends/model/checkpoint.h"

#include <jansson.h>
#include <stdio.h>

/* The options of both commands. */
typedef struct dv_comparison_options {
    const char *program; /* executable of decavox, started to measure */
    char device[DV_STRING_SIZE], protocol[DV_STRING_SIZE];
    int64_t threads, classes;
    double seconds;
    bool fresh, keep_busy, force;
    int format;
    char out[DV_STRING_SIZE], svg[DV_STRING_SIZE];
    int use_case;
    double max_latency_ms, max_size_mb, min_accuracy;
} dv_comparison_options;

#define DV_COMPARISON_FIELDS                                                                       \
    DV_STRING(dv_comparison_options, device, "cpu", "device: cpu, cuda, cuda:N or ref"),           \
        DV_INT(dv_comparison_options, threads, "1", 0, 1024,                                       \
               "number of threads of the forward pass; predict takes 1; 0 takes one per "          \
               "physical core"),                                                                   \
        DV_FLOAT(dv_comparison_options, seconds, "1", 0.001, 60,                                   \
                 "duration of each measurement, s"),                                               \
        DV_BOOL(dv_comparison_options, fresh, "false", "measure everything anew"),                 \
        DV_BOOL(dv_comparison_options, keep_busy, "false",                                         \
                "keep and use measurements that were disturbed, too"),                             \
        DV_INT(dv_comparison_options, classes, "10", 2, DV_YAML_MAX_NODES - 1,                     \
               "number of classes of a model that is not trained"),                                \
        DV_STRING(                                                                                 \
            dv_comparison_options, protocol, "",                                                   \
            "protocol of the accuracy, for example gsc; default: that of the card's training")

/* The accuracy of a model. The protocol is that of its card or, from the report of a run, the
   split, the part and a mark of the clips: "official/test 8d3f0a91". Only accuracies of one
   protocol can be compared. */
typedef struct dv_accuracy {
    char protocol[64];      /* empty if the accuracy is unknown */
    int64_t correct, count; /* clips */
    double low, high;       /* 95 % Wilson interval of correct / count */
} dv_accuracy;

/* The sample rates in Hz at which the time from samples to an answer is measured. */
enum { DV_ANSWER_RATES = 2 };
extern const int64_t dv_answer_rates[DV_ANSWER_RATES]; /* 16,000, 48,000 */

typedef struct dv_model_figures {
    char name[128];            /* name of the file, without folder and ending, or of the run's
                                  folder; the path if two models have the same name */
    char path[DV_STRING_SIZE]; /* checkpoint or configuration */
    bool is_checkpoint;
    char content[DV_SHA256_SIZE]; /* hash of the content of the file */
    char command[2048];           /* command that trained the model; empty if unknown */
    dv_accuracy accuracy;
    /* Measurements. */
    bool done, kept;  /* kept: taken from an earlier measurement */
    bool busy;        /* other work disturbed the measurement, by the rule of load.h */
    char date[32];    /* ISO 8601, UTC */
    int64_t bytes[2]; /* on disk, by dv_checkpoint_precision; -1 if this precision is impossible */
    int file;         /* precision of the file on disk: bytes[file] is its real size, the other one
                         is computed; -1 if there is no such file and both are computed */
    int64_t parameters;
    int64_t macs;         /* multiply-adds per clip */
    int64_t rows, frames; /* sizes of the features */
    int64_t attention;    /* number of operations with attention between frames */
    bool ensemble;
    double p50, p99;                /* s for a forward pass of one clip, from host to host */
    double answer[DV_ANSWER_RATES]; /* s from a window's samples at these rates to the answer */
    double throughput;              /* clips/s at the best batch size */
    int64_t batch;                  /* this batch size */
    double first_answer;            /* s for a whole process that predicts one file */
    int64_t peak_memory;            /* bytes used by this process */
} dv_model_figures;

typedef struct dv_comparison dv_comparison;

/* The callbacks while models are listed and measured. Any function may be NULL. */
typedef struct dv_comparison_events {
    dv_log log; /* warnings */
    void *user;
    /* The step `step` of a model's measurement begins. `done` of the `total` steps of all models
       are done. */
    void (*step)(void *user, const char *model, const char *step, size_t done, size_t total);
    /* A model has been measured, number `number` of `count`. */
    void (*measured)(void *user, const dv_comparison *comparison, const dv_model_figures *model,
                     size_t number, size_t count);
    /* Called ten times a second. Returns true to stop measuring. */
    bool (*stopped)(void *user);
} dv_comparison_events;

struct dv_comparison {
    const dv_comparison_options *options;
    const dv_comparison_events *events;
    int threads;
    char machine[512];            /* the GPU, if any, and the processor */
    char libraries[256];          /* libraries of the backend, with their versions */
    char program[DV_SHA256_SIZE]; /* hash of the program and the device's module */
    dv_model_figures *models;     /* (count) owned */
    size_t count;
};

/*
 * Lists the models and reads their cards. `options` and `events` are borrowed. A file is a
 * checkpoint, a configuration, or the folder of a run. A folder without a finished run is left out
 * with a warning, and so is a model that is named twice. Without files, the checkpoints of this
 * program are listed, and configurations for its models without a checkpoint. Returns DV_EIO if a
 * file is missing or cannot be read, DV_EFORMAT if no folder has a finished run, DV_ECONFIG if a
 * configuration is invalid, and DV_EARG or DV_EDEVICE if the device does not exist. *out is empty
 * on failure.
 */
dv_status dv_comparison_list(const dv_comparison_options *options,
                             const dv_comparison_events *events, const char *const *files,
                             size_t count, dv_comparison *out);
void dv_comparison_free(dv_comparison *comparison);

/* Measures the models without stored figures, and stores the results. Figures of a busy machine are
   stored only with options->keep_busy. Returns DV_EINTERRUPTED if events->stopped ends it. */
dv_status dv_comparison_measure(dv_comparison *comparison);

/* The protocol that most models report; in a tie, the first. Empty if no accuracy is known. */
const char *dv_common_protocol(const dv_model_figures *models, size_t count);

/* Whether a model was measured while the machine was busy. */
bool dv_comparison_busy(const dv_comparison *comparison);

/* The bytes of the file on disk or, without one, of the FP32 file of a training. */
int64_t dv_model_figures_size(const dv_model_figures *model);

/* ---- Output ---- */

enum { DV_SHORT_SIZE = 32 };
/* Formats a time as "8.44 us", "15.2 ms" or "2.10 s". */
const char *dv_show_seconds(double seconds, char text[DV_SHORT_SIZE]);
/* Formats a size as "0.41 MB"; a megabyte is 10^6 bytes. */
const char *dv_show_bytes(int64_t bytes, char text[DV_SHORT_SIZE]);

void dv_comparison_table(const dv_comparison *comparison, FILE *out);
void dv_comparison_csv(const dv_comparison *comparison, FILE *out);
json_t *dv_model_figures_json(const dv_model_figures *model); /* a new reference */
void dv_comparison_json(const dv_comparison *comparison, FILE *out);
void dv_comparison_html(const dv_comparison *comparison, FILE *out);

/* Prints the place and the time of the measurements: "cpu, 2 threads: AMD ...". */
void dv_comparison_place(const dv_comparison *comparison, FILE *out);

/* Writes a picture of accuracy against latency. Models with an unknown accuracy are not in it. */
void dv_comparison_svg(const dv_comparison *comparison, FILE *out);

static inline bool dv_accuracy_known(const dv_accuracy *accuracy)
{
    return accuracy->protocol[0] != '\0';
}

static inline double dv_accuracy_share(const dv_accuracy *accuracy)
{
    return (double)accuracy->correct / (double)accuracy->count;
}

/* ---- Internal functions ---- */

/* The path of a model's card: NAME.json beside its file. */
void dv_card_path(const dv_model_figures *model, char path[DV_STRING_SIZE + 8]);

/* Reads accuracy and command from the card of a checkpoint. A card that belongs to another file is
   ignored with a warning. */
dv_status dv__card_read(const dv_comparison *comparison, dv_model_figures *model);

/* Whether the path is a folder, and therefore that of a run. */
bool dv__run_is_folder(const char *path);

/* Fails unless the folder holds a finished run. Returns DV_EFORMAT, DV_EARG or DV_EIO, with the
   reason as the message. */
dv_status dv__run_check(const char *folder);

/* Reads the model of a run, named after the folder, with the accuracy of its report. Returns
   DV_EIO. */
dv_status dv__run_read(const dv_comparison *comparison, const char *folder,
                       dv_model_figures *model);

/* Reads the stored figures of the same content, program and machine. False if there are none, or if
   they are those of a busy machine and options->keep_busy is not set. */
bool dv__model_figures_recall(const dv_comparison *comparison, dv_model_figures *model);
/* Stores the figures. A failure is a warning. */
void dv__model_figures_keep(const dv_comparison *comparison, const dv_model_figures *model);

/* Convert the measurements to JSON and back. Reading returns DV_EFORMAT if the JSON is invalid. */
json_t *dv__figures_json(const dv_model_figures *model);
dv_status dv__figures_read(json_t *json, dv_model_figures *model);

/* ---- The children ---- */

/*
 * The task of a child process. The parent starts it as
 *
 *     decavox compare --measure_model FILE DEVICE THREADS SECONDS CLASSES FOLDER
 *     decavox compare --measure_start FILE DEVICE THREADS CLIP TIMES
 *
 * and reads its lines (process.h): "step NAME" before each measurement, "result JSON" at the end.
 */
typedef struct dv_measurement {
    const char *path; /* checkpoint or configuration */
    const char *device;
    int threads;
    dv_log log;
    void *user;
    /* A step begins. `number` is part of its name unless it is 0. */
    void (*step)(void *user, const char *name, int64_t number);
    /* For dv_measure_model. */
    double seconds;
    int64_t classes;
    const char *folder; /* empty folder; gets clip.wav and, for a configuration, model.safetensors,
                           for dv_measure_start */
    /* For dv_measure_start. */
    const char *program, *clip;
    int times;
} dv_measurement;

/* Measures parameters, work, size, latency and throughput. *out is a new reference to the JSON of
   dv__figures_json. */
dv_status dv_measure_model(const dv_measurement *measurement, json_t **out);

/* Starts `decavox predict` `times` times, and measures the time to an answer and the peak memory.
 *out is a new reference. */
dv_status dv_measure_start(const dv_measurement *measurement, json_t **out);

enum { DV_COMPARISON_MOST = 1024 }; /* most models of a comparison */

enum { DV_CHILD_STEPS = 13 }; /* most steps of both children of a model together */

#endif
