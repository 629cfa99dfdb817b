/*
 * Models side by side, each measured on this machine: size, work, speed, memory, and the accuracy
 * that its card tells, or the report of its run. Each is measured in processes of its own, so that
 * none leaves traces in another's figures, and the measurements are kept from one time to the next.
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

/* What both commands are told. */
typedef struct dv_comparison_options {
    const char *program; /* the file of decavox, which measures in processes of its own */
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

/* How a model does by a protocol, from its card; or on a part of a split, from the report of its
   run: "official/test 8d3f0a91", with a mark of the clips. What is not by the same protocol cannot
   be compared. */
typedef struct dv_accuracy {
    char protocol[64];      /* "": not known */
    int64_t correct, count; /* clips */
    double low, high;       /* 95 % Wilson interval of correct / count */
} dv_accuracy;

/* Hz: of the samples that answers are timed from. */
enum { DV_ANSWER_RATES = 2 };
extern const int64_t dv_answer_rates[DV_ANSWER_RATES]; /* 16,000, 48,000 */

typedef struct dv_model_figures {
    char name[128];            /* of the file, without folder and ending, or of the run's folder;
                                  where two models had the same, the path */
    char path[DV_STRING_SIZE]; /* checkpoint or configuration */
    bool is_checkpoint;
    char content[DV_SHA256_SIZE]; /* what the file says */
    char command[2048];           /* that has trained it; "": not known */
    dv_accuracy accuracy;
    /* Measured. */
    bool done, kept;  /* kept: measured before */
    bool busy;        /* other work disturbed it: load.h has the rule */
    char date[32];    /* ISO 8601, UTC */
    int64_t bytes[2]; /* on disk, by dv_checkpoint_precision; -1: cannot be written so */
    int file;         /* the precision of the checkpoint as it is: its size is the file's own;
                         -1: both are what would be written */
    int64_t parameters;
    int64_t macs;         /* multiply-adds of a clip */
    int64_t rows, frames; /* of the features */
    int64_t attention;    /* operations of attention between frames */
    bool ensemble;
    double p50, p99; /* s: forward pass of a batch of one, from the host to the host */
    double answer[DV_ANSWER_RATES]; /* s: from a window's samples at these rates to the answer */
    double throughput;              /* clips/s */
    int64_t batch;                  /* of that: the best one */
    double first_answer;            /* s: a process that predicts one file, from start to end */
    int64_t peak_memory;            /* bytes of that process */
} dv_model_figures;

typedef struct dv_comparison dv_comparison;

/* What a caller is told while models are listed and measured. Any function may be NULL. */
typedef struct dv_comparison_events {
    dv_log log; /* warnings */
    void *user;
    /* `step` of a model's measurement begins; `done` of `total` steps of all models are over. */
    void (*step)(void *user, const char *model, const char *step, size_t done, size_t total);
    /* A model is measured: the `number`th of `count`. */
    void (*measured)(void *user, const dv_comparison *comparison, const dv_model_figures *model,
                     size_t number, size_t count);
    /* Asked ten times a second whether measuring is to end. */
    bool (*stopped)(void *user);
} dv_comparison_events;

struct dv_comparison {
    const dv_comparison_options *options;
    const dv_comparison_events *events;
    int threads;
    char machine[512];            /* the GPU, where there is one, and the processor */
    char libraries[256];          /* of the backend, with their versions */
    char program[DV_SHA256_SIZE]; /* this one, with the module that drives the device */
    dv_model_figures *models;     /* (count) owned */
    size_t count;
};

/*
 * Reads which models there are, and their cards. `options` and `events` are borrowed. A file is a
 * checkpoint, a configuration, or the folder of a run; a folder without a finished run is left out
 * with a warning that says why, and so is what is named twice. No file: the checkpoints of this
 * program, and configurations for those of its models that have none. DV_EIO: a file is missing or
 * cannot be read; DV_EFORMAT: no folder has a finished run; DV_ECONFIG: a configuration is wrong;
 * DV_EARG, DV_EDEVICE: there is no such device. *out is emptied on failure.
 */
dv_status dv_comparison_list(const dv_comparison_options *options,
                             const dv_comparison_events *events, const char *const *files,
                             size_t count, dv_comparison *out);
void dv_comparison_free(dv_comparison *comparison);

/* Measures what was not measured before. What was measured on a busy machine is not kept without
   options->keep_busy. DV_EINTERRUPTED: events->stopped has said so. */
dv_status dv_comparison_measure(dv_comparison *comparison);

/* The protocol that most models' accuracies are by, the first of them where several are; "": none
   is known. */
const char *dv_common_protocol(const dv_model_figures *models, size_t count);

/* Whether a model was measured while the machine was busy. */
bool dv_comparison_busy(const dv_comparison *comparison);

/* Bytes of the file as it is, or as a training would leave it. */
int64_t dv_model_figures_size(const dv_model_figures *model);

/* ---- Output ---- */

enum { DV_SHORT_SIZE = 32 };
/* "8.44 us", "15.2 ms", "2.10 s" */
const char *dv_show_seconds(double seconds, char text[DV_SHORT_SIZE]);
/* "0.41 MB", MB being 10^6 bytes */
const char *dv_show_bytes(int64_t bytes, char text[DV_SHORT_SIZE]);

void dv_comparison_table(const dv_comparison *comparison, FILE *out);
void dv_comparison_csv(const dv_comparison *comparison, FILE *out);
json_t *dv_model_figures_json(const dv_model_figures *model); /* a new reference */
void dv_comparison_json(const dv_comparison *comparison, FILE *out);
void dv_comparison_html(const dv_comparison *comparison, FILE *out);

/* Where it was measured, and when: "cpu, 2 threads: AMD ...". */
void dv_comparison_place(const dv_comparison *comparison, FILE *out);

/* Accuracy against latency as a file of its own; nothing to show without dv_accuracy_known. */
void dv_comparison_svg(const dv_comparison *comparison, FILE *out);

static inline bool dv_accuracy_known(const dv_accuracy *accuracy)
{
    return accuracy->protocol[0] != '\0';
}

static inline double dv_accuracy_share(const dv_accuracy *accuracy)
{
    return (double)accuracy->correct / (double)accuracy->count;
}

/* ---- The parts, for each other ---- */

/* Where the card of a model would be: NAME.json beside its file. */
void dv_card_path(const dv_model_figures *model, char path[DV_STRING_SIZE + 8]);

/* Reads the card of a checkpoint, NAME.json beside it, into accuracy and command. A card of another
   file than this one tells nothing, and is warned about. */
dv_status dv__card_read(const dv_comparison *comparison, dv_model_figures *model);

/* Whether the path is that of a folder, which then is that of a run. */
bool dv__run_is_folder(const char *path);

/* Whether there is a finished run. DV_EFORMAT, DV_EARG, DV_EIO: the message is the reason. */
dv_status dv__run_check(const char *folder);

/* Its model, named by the folder, with the accuracy of its report. DV_EIO. */
dv_status dv__run_read(const dv_comparison *comparison, const char *folder,
                       dv_model_figures *model);

/* The figures of an earlier measurement of this content by this program on this machine; false
   where there are none, or those of a busy machine without options->keep_busy. */
bool dv__model_figures_recall(const dv_comparison *comparison, dv_model_figures *model);
/* Keeps them; where that cannot be, it is a warning. */
void dv__model_figures_keep(const dv_comparison *comparison, const dv_model_figures *model);

/* What is measured, as JSON and back. DV_EFORMAT. */
json_t *dv__figures_json(const dv_model_figures *model);
dv_status dv__figures_read(json_t *json, dv_model_figures *model);

/* ---- The children ---- */

/*
 * What one child measures. The parent starts it as
 *
 *     decavox compare --measure_model FILE DEVICE THREADS SECONDS CLASSES FOLDER
 *     decavox compare --measure_start FILE DEVICE THREADS CLIP TIMES
 *
 * and reads lines of process.h: "step NAME" before each measurement, "result JSON" at the end.
 */
typedef struct dv_measurement {
    const char *path; /* checkpoint or configuration */
    const char *device;
    int threads;
    dv_log log;
    void *user;
    /* A step begins; number 0: it has none. */
    void (*step)(void *user, const char *name, int64_t number);
    /* Of dv_measure_model. */
    double seconds;
    int64_t classes;
    const char *folder; /* empty. It is left clip.wav to predict and, of a configuration,
                           model.safetensors to do it with */
    /* Of dv_measure_start. */
    const char *program, *clip;
    int times;
} dv_measurement;

/* Parameters, work, size, latency, throughput: *out is what dv__figures_json makes, a new
   reference. */
dv_status dv_measure_model(const dv_measurement *measurement, json_t **out);

/* Starts `decavox predict` `times` times. *out as above: the time to an answer, peak memory. */
dv_status dv_measure_start(const dv_measurement *measurement, json_t **out);

enum { DV_COMPARISON_MOST = 1024 }; /* models */

enum { DV_CHILD_STEPS = 13 }; /* steps of both together, at most */

#endif
