/* Measures one model in a process that does nothing else, and detects whether other work disturbed
   it. */
#include "engine/base/process.h"
#include "engine/core/graph.h"
#include "frontends/audio/audio.h"
#include "frontends/features/features.h"
#include "frontends/model/session.h"
#include "runner/compare/comparison.h"
#include "runner/evaluate/load.h"
#include "runner/evaluate/timing.h"
#include "runner/experiment/experiment.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_BATCH = 256,
    LEAST_LATENCIES = 100, /* enough for a 99th percentile */
    MOST_STARTS = 100,
    PATH_SIZE = 1024,
};

static void tell_step(const dv_measurement *measurement, const char *name, int64_t number)
{
    if (measurement->step != NULL)
        measurement->step(measurement->user, name, number);
}

static dv_status take_result(json_t *json, json_t **out)
{
    *out = json;
    return json != NULL ? DV_OK : DV_FAIL(DV_ENOMEM, "out of memory: the measurements");
}

/* ---- The measured model ---- */

typedef struct subject {
    const dv_measurement *asked;
    bool is_checkpoint;
    dv_checkpoint checkpoint; /* only this or the experiment is set */
    dv_experiment experiment;
    const dv_tree *config, *labels;
    dv_tree *numbers; /* labels for a configuration */
    dv_features_config features;
    int64_t rows, frames;
    dv_load load; /* load of the machine during the forward passes */
} subject;

/* Makes the labels 0, 1, 2, ... for a configuration, which has none. */
static dv_status make_labels(subject *s, int64_t classes)
{
    DV_TRY(dv_tree_new(DV_TREE_LIST, NULL, 0, &s->numbers));
    for (int64_t i = 0; i < classes; i++) {
        char text[DV_SHORT_SIZE];
        dv_tree *label;
        snprintf(text, sizeof text, "%" PRId64, i);
        DV_TRY(dv_tree_new_scalar(text, NULL, 0, &label));
        label->quoted = true;
        DV_TRY(dv_tree_append(s->numbers, NULL, label));
    }
    s->labels = s->numbers;
    return DV_OK;
}

static dv_status read_shape(subject *s)
{
    dv_frontend *frontend;
    DV_TRY(dv_fields_read(dv_features_fields, dv_tree_get(s->config, "features"), "features",
                          &s->features));
    DV_TRY(dv_frontend_create(&s->features, &frontend));
    s->rows = dv_frontend_rows(frontend);
    s->frames = dv_frontend_frames(frontend);
    dv_frontend_free(frontend);
    return DV_OK;
}

static dv_status open_subject(subject *s)
{
    const char *dot = strrchr(s->asked->path, '.');
    s->is_checkpoint = dot == NULL || (strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0);
    if (s->is_checkpoint) {
        DV_TRY(dv_checkpoint_open(s->asked->path, &s->checkpoint));
        s->config = s->checkpoint.config;
        s->labels = s->checkpoint.labels;
    } else {
        DV_TRY(dv_experiment_read(s->asked->path, NULL, &s->experiment));
        s->config = s->experiment.tree;
        DV_TRY(make_labels(s, s->asked->classes));
    }
    if (dv_tree_get(s->config, "model") == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'model'");
    return read_shape(s);
}

static void close_subject(subject *s)
{
    if (s->is_checkpoint)
        dv_checkpoint_close(&s->checkpoint);
    else
        dv_experiment_free(&s->experiment);
    dv_tree_free(s->numbers);
}

/* Opens the forward pass, with the weights of the checkpoint if there is one. */
static dv_status open_forward(const subject *s, int64_t batch, dv_forward **out)
{
    dv_forward_options options = {.model = dv_tree_get(s->config, "model"),
                                  .rows = s->rows,
                                  .frames = s->frames,
                                  .classes = (int64_t)s->labels->count,
                                  .batch = batch,
                                  .device = s->asked->device,
                                  .threads = s->asked->threads,
                                  .log = s->asked->log};
    DV_TRY(dv_forward_open(&options, out));
    if (!s->is_checkpoint)
        return DV_OK;
    dv_status status =
        dv_checkpoint_read(&s->checkpoint, dv_forward_graph(*out)->params, DV_BUFFER_VALUES);
    if (status != DV_OK)
        dv_forward_close(*out);
    return status;
}

/* ---- Size ---- */

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

/* Measures the size of the file that `export` would write. For a configuration, the FP32 file stays
   as model.safetensors. */
static dv_status measure_size(const subject *s, const dv_params *params,
                              dv_checkpoint_precision precision, int64_t *bytes)
{
    char path[PATH_SIZE];
    bool stays = !s->is_checkpoint && precision == DV_CHECKPOINT_FP32;
    snprintf(path, sizeof path, "%.900s/%s.safetensors", s->asked->folder,
             stays ? "model" : "other");
    dv_tree *config;
    DV_TRY(dv_experiment_copy_to_leave(s->config, &config));
    dv_status status = dv_checkpoint_write_weights(path, params, precision, config, s->labels);
    dv_tree_free(config);
    *bytes = status == DV_OK ? size_of(path) : -1;
    if (!stays)
        (void)unlink(path);
    /* FP16 cannot hold a weight beyond 65504. */
    return status == DV_ENUMERIC && precision == DV_CHECKPOINT_FP16 ? DV_OK : status;
}

static dv_status measure_sizes(const subject *s, const dv_params *params, dv_model_figures *out)
{
    size_t tensors, rounded;
    out->file = -1;
    for (int i = 0; i < 2; i++)
        DV_TRY(measure_size(s, params, (dv_checkpoint_precision)i, &out->bytes[i]));
    if (!s->is_checkpoint || s->checkpoint.state != NULL)
        return DV_OK;
    dv_checkpoint_tensors(&s->checkpoint, &tensors, &rounded);
    out->file = rounded > 0 ? DV_CHECKPOINT_FP16 : DV_CHECKPOINT_FP32;
    out->bytes[out->file] = size_of(s->asked->path);
    return DV_OK;
}

/* ---- Speed ---- */

static dv_status measure_runs(subject *s, dv_forward *forward, const dv_time_options *options,
                              dv_times *out)
{
    dv_load_begin(&s->load);
    dv_status status = dv_time_work(dv_forward_run, forward, options, out);
    dv_load_end(&s->load);
    return status;
}

/* Whether other work disturbed the forward passes. While a GPU computes, the host only waits. */
static bool was_disturbed(const subject *s)
{
    bool host = strcmp(s->asked->device, "cpu") == 0 || strcmp(s->asked->device, "ref") == 0;
    dv_load_use use = {.always = host,
                       .threads = host ? s->asked->threads : 1,
                       .processors = dv_load_processors()};
    return dv_load_disturbs(&s->load, &use);
}

static dv_status measure_latency(subject *s, dv_forward *forward, dv_model_figures *out)
{
    dv_times times;
    dv_time_options options = {
        .warm = s->asked->seconds / 4, .seconds = s->asked->seconds, .least = LEAST_LATENCIES};
    DV_TRY(measure_runs(s, forward, &options, &times));
    out->p50 = times.median;
    out->p99 = times.p99;
    return DV_OK;
}

static dv_status measure_batch(subject *s, int64_t batch, double *clips_per_second)
{
    dv_forward *forward;
    dv_times times;
    dv_time_options options = {
        .warm = s->asked->seconds / 10, .seconds = s->asked->seconds / 2, .least = 3};
    DV_TRY(open_forward(s, batch, &forward));
    dv_status status = measure_runs(s, forward, &options, &times);
    dv_forward_close(forward);
    if (status == DV_OK)
        *clips_per_second = (double)batch / times.median;
    return status;
}

/* Measures larger and larger batches, until three in a row are no better than the best one. */
static dv_status measure_throughput(subject *s, dv_model_figures *out)
{
    int worse = 0;
    for (int64_t batch = 1; batch <= MOST_BATCH && worse < 3; batch *= 2) {
        double clips_per_second;
        tell_step(s->asked, "throughput, batch", batch);
        DV_TRY(measure_batch(s, batch, &clips_per_second));
        worse = clips_per_second > out->throughput ? 0 : worse + 1;
        if (worse > 0)
            continue;
        out->throughput = clips_per_second;
        out->batch = batch;
    }
    return DV_OK;
}

/* ---- The model as it is built ---- */

static int64_t count_operations(const dv_graph *graph, const char *name)
{
    int64_t count = 0;
    for (int i = 0; i < graph->count; i++)
        count += strcmp(graph->nodes[i].op->name, name) == 0;
    return count;
}

static dv_status measure_forward(subject *s, dv_model_figures *out)
{
    dv_forward *forward;
    tell_step(s->asked, "size", 0);
    DV_TRY(open_forward(s, 1, &forward));
    const dv_graph *graph = dv_forward_graph(forward);
    out->parameters = dv_forward_parameters(forward);
    out->macs = dv_forward_macs(forward);
    out->rows = s->rows;
    out->frames = s->frames;
    out->attention = count_operations(graph, "attention");
    out->ensemble = count_operations(graph, "weighted_sum") > 0;
    dv_status status = measure_sizes(s, graph->params, out);
    if (status == DV_OK) {
        tell_step(s->asked, "latency", 0);
        status = measure_latency(s, forward, out);
    }
    dv_forward_close(forward);
    return status;
}

/* Makes a tone as long as the model's window. Free it with dv_audio_free. */
static dv_status make_tone(const subject *s, int64_t sample_rate, dv_audio *audio)
{
    *audio = (dv_audio){.sample_rate = sample_rate};
    audio->count = (int64_t)fmax(1, s->features.duration * (double)sample_rate);
    DV_TRY(dv_calloc((size_t)audio->count, sizeof *audio->samples, &audio->samples));
    double turn = 8 * atan(1);
    for (int64_t i = 0; i < audio->count; i++)
        audio->samples[i] = 0.5F * (float)sin(turn * 440 * (double)i / (double)sample_rate);
    return DV_OK;
}

static dv_status write_clip(const subject *s)
{
    char path[PATH_SIZE];
    dv_audio audio;
    DV_TRY(make_tone(s, s->features.sample_rate, &audio));
    snprintf(path, sizeof path, "%.900s/clip.wav", s->asked->folder);
    dv_status status = dv_audio_write_wav(path, &audio);
    dv_audio_free(&audio);
    return status;
}

/* ---- From samples ---- */

const int64_t dv_answer_rates[DV_ANSWER_RATES] = {16000, 48000};

/* A session and the sound that it answers. */
typedef struct asked {
    dv_session *session;
    dv_sound sound;
    float *probabilities;
} asked;

static dv_status ask(void *user)
{
    asked *a = user;
    return dv_session_sound(a->session, &a->sound, a->probabilities, NULL);
}

static dv_status measure_answer(subject *s, asked *a, int64_t sample_rate, double *seconds)
{
    dv_times times;
    dv_audio tone;
    dv_time_options options = {
        .warm = s->asked->seconds / 10, .seconds = s->asked->seconds / 4, .least = 5};
    DV_TRY(make_tone(s, sample_rate, &tone));
    a->sound = (dv_sound){
        .samples = tone.samples, .count = (size_t)tone.count, .sample_rate = sample_rate};
    dv_load_begin(&s->load);
    dv_status status = dv_time_work(ask, a, &options, &times);
    dv_load_end(&s->load);
    dv_audio_free(&tone);
    if (status == DV_OK)
        *seconds = times.median;
    return status;
}

/* Measures the time to an answer with a session of one sound, as a server has. The model is the
   checkpoint, or the file that measure_size has left for a configuration. */
static dv_status measure_answers(subject *s, dv_model_figures *out)
{
    char path[PATH_SIZE];
    asked a = {.session = NULL};
    dv_model *model;
    dv_model_options options = dv_model_options_default();
    dv_session_options how = dv_session_options_default();
    options.device = s->asked->device;
    how.threads = s->asked->threads > 0 ? s->asked->threads : -1;
    snprintf(path, sizeof path, "%.900s/model.safetensors", s->asked->folder);
    tell_step(s->asked, "answers", 0);
    DV_TRY(dv_model_open(s->is_checkpoint ? s->asked->path : path, &options, &model));
    dv_status status = dv_session_create(model, &how, &a.session);
    if (status == DV_OK)
        status = dv_calloc(dv_model_label_count(model), sizeof *a.probabilities, &a.probabilities);
    for (int i = 0; status == DV_OK && i < DV_ANSWER_RATES; i++)
        status = measure_answer(s, &a, dv_answer_rates[i], &out->answer[i]);
    free(a.probabilities);
    dv_session_free(a.session);
    dv_model_close(model);
    return status;
}

/* Runs all measurements except that of starting, one after the other, until one fails. */
dv_status dv_measure_model(const dv_measurement *measurement, json_t **out)
{
    subject s = {.asked = measurement};
    dv_model_figures figures = {.throughput = 0};
    *out = NULL;
    dv_status status = open_subject(&s);
    if (status == DV_OK)
        status = measure_forward(&s, &figures);
    if (status == DV_OK)
        status = measure_throughput(&s, &figures);
    if (status == DV_OK)
        status = measure_answers(&s, &figures);
    figures.busy = was_disturbed(&s);
    if (status == DV_OK)
        status = write_clip(&s);
    close_subject(&s);
    if (status == DV_OK)
        return take_result(dv__figures_json(&figures), out);
    /* Messages about the content of a checkpoint do not name the file. */
    return strstr(dv_error_message(), measurement->path) != NULL
               ? status
               : dv_fail_within(status, "%s", measurement->path);
}

/* ---- Starting ---- */

/* Runs the predictions one after the other. The peak memory is that of the largest process. */
dv_status dv_measure_start(const dv_measurement *measurement, json_t **out)
{
    char threads[DV_SHORT_SIZE];
    const char *const predict[] = {"decavox",         "predict",  measurement->path,
                                   measurement->clip, "--device", measurement->device,
                                   "--workers",       threads,    NULL};
    const dv_child child = {
        .name = "decavox predict", .program = measurement->program, .argv = predict};
    double seconds[MOST_STARTS];
    struct rusage usage;
    int times = measurement->times;
    *out = NULL;
    snprintf(threads, sizeof threads, "%d", measurement->threads);
    if (times < 1 || times > MOST_STARTS)
        return DV_FAIL(DV_EARG, "the number of starts is %d, must be 1 to %d", times, MOST_STARTS);
    dv_load load = {.wall = 0};
    dv_load_use use = {.threads = 1, .processors = dv_load_processors()};
    tell_step(measurement, "first answer", 0);
    dv_load_begin(&load);
    for (int i = 0; i < times; i++) {
        double begin = dv_clock();
        DV_TRY(dv_child_run(&child));
        seconds[i] = dv_clock() - begin;
    }
    dv_load_end(&load);
    /* The peak is the largest of all ended children, and these are the only ones. */
    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return DV_FAIL(DV_ESYSTEM, "the memory of the process cannot be measured: %s",
                       strerror(errno));
    return take_result(json_pack("{s:f, s:I, s:b}", "first_answer_s",
                                 dv_times_of(seconds, times).median, "peak_memory_bytes",
                                 (json_int_t)usage.ru_maxrss * 1024, "busy_start",
                                 dv_load_disturbs(&load, &use)),
                       out);
}
