/* Times features of each kind, augmentation, and reading of files, on one thread and on all. Writes
   seconds per batch, utterances per second, and seconds of sound per second. */
#include "benchmarks/batches.h"
#include "benchmarks/bench.h"
#include "benchmarks/tones.h"
#include "frontends/batch/device.h"
#include "frontends/dataset/dataset.h"

#include <omp.h>
#include <string.h>

enum {
    BATCH = 256,
    FILES = 20,  /* files of one second each */
    REPORT = 16, /* batches per time, on a device with memory of its own */
};

typedef struct frontend_case {
    const char *name;
    int type; /* dv_feature_type */
    batches_augment augment;
} frontend_case;

static const frontend_case cases[] = {
    {"mfcc", DV_FEATURES_MFCC, BATCHES_PLAIN},
    {"mel", DV_FEATURES_MEL, BATCHES_PLAIN},
    {"spectrogram", DV_FEATURES_SPECTROGRAM, BATCHES_PLAIN},
    {"mfcc/augment_default", DV_FEATURES_MFCC, BATCHES_DEFAULT},
    {"mfcc/augment_all", DV_FEATURES_MFCC, BATCHES_ALL},
};

typedef struct reading_case {
    const char *name;
    int64_t rate; /* Hz of the files */
} reading_case;

static const reading_case reading_cases[] = {
    {"read/wav_8k", 8000}, {"read/wav_16k", 16000}, {"read/wav_44k", 44100}};

/* Writes the result of `count` utterances of one second each. */
static dv_status write_rate(bench *b, bench_result *result, double count)
{
    result->figures[0] = (bench_figure){"utterances", count};
    result->figures[1] = (bench_figure){"utterances_per_s", count / result->value.median};
    result->figures[2] = (bench_figure){"x_real_time", count / result->value.median};
    return bench_write(b, result);
}

/* ---- Features ---- */

/* The number of batches that together are larger than all caches. */
static int64_t rotation(const bench *b, int64_t batch)
{
    size_t bytes = (size_t)batch * 8000 * sizeof(float);
    return dv_device_batches_of(b->context->backend) != NULL ? 1
                                                             : (int64_t)(2 * b->cache / bytes) + 1;
}

static dv_status measure_features(bench *b, const frontend_case *item, int threads)
{
    batches_options options;
    batches *made;
    DV_TRY(dv_fields_default(batches_fields, &options));
    options.batch = b->chosen.batch > 0 ? b->chosen.batch : BATCH;
    options.threads = threads;
    options.type = item->type;
    options.augment = item->augment;
    options.report = REPORT;
    options.rotation = rotation(b, options.batch);
    memcpy(options.device, b->chosen.device, sizeof options.device);
    DV_TRY(batches_open(&options, &made));
    bench_result result = {.name = item->name,
                           .unit = "s",
                           .threads = threads,
                           .batch = options.batch,
                           .cache = batches_on_device(made) ? "one batch on the device"
                                                            : "rotated batches"};
    dv_time_options effort = bench_effort(b, 0.5);
    dv_status status = dv_time_work(batches_make, made, &effort, &result.value);
    double count = (double)(options.batch * batches_report(made));
    batches_close(made);
    DV_TRY(status);
    return write_rate(b, &result, count);
}

/* ---- Files ---- */

typedef struct reading {
    dv_frontend *frontend;
    dv_dataset dataset;
    int threads;
} reading;

static dv_status read_all(void *user)
{
    reading *r = user;
    omp_set_num_threads(r->threads);
    return dv_dataset_load(&r->dataset, r->frontend, 60, &(dv_log){NULL, NULL});
}

static dv_status open_reading(bench *b, const reading_case *item, reading *r)
{
    dv_features_config config;
    DV_TRY(bench_temporary(b));
    DV_TRY(tones_write(b->folder, item->rate, 1, FILES));
    DV_TRY(dv_fields_default(dv_features_fields, &config));
    DV_TRY(dv_frontend_create(&config, &r->frontend));
    return dv_dataset_open(b->folder, &r->dataset);
}

static dv_status measure_reading(bench *b, const reading_case *item, int threads)
{
    reading r = {.threads = threads};
    bench_result result = {
        .name = item->name, .unit = "s", .threads = threads, .cache = "files in the file cache"};
    dv_time_options effort = bench_effort(b, 0.5);
    dv_status status = open_reading(b, item, &r);
    if (status == DV_OK)
        status = dv_time_work(read_all, &r, &effort, &result.value);
    double count = (double)r.dataset.count;
    dv_dataset_free(&r.dataset);
    dv_frontend_free(r.frontend);
    DV_TRY(status);
    return write_rate(b, &result, count);
}

/* ---- The suite ---- */

static dv_status measure_all(bench *b, int threads)
{
    bool device = dv_device_batches_of(b->context->backend) != NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (bench_wants(b, cases[i].name) && !(device && cases[i].augment != BATCHES_PLAIN))
            DV_TRY(measure_features(b, &cases[i], threads));
    }
    for (size_t i = 0; i < sizeof reading_cases / sizeof reading_cases[0]; i++) {
        if (bench_wants(b, reading_cases[i].name))
            DV_TRY(measure_reading(b, &reading_cases[i], threads));
    }
    return DV_OK;
}

dv_status bench_suite_frontends(bench *b)
{
    DV_TRY(measure_all(b, 1));
    return b->threads > 1 ? measure_all(b, b->threads) : DV_OK;
}
