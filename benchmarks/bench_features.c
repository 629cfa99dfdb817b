/*
 * Times the front-end on random clips of one second, on request:
 *
 *     bench_features [--device cpu] [--batch 256] [--threads 1] [--report 1]
 *
 * answers `run K` on stdin with a line of JSON, until `quit`: {"microseconds": [wall time of a
 * batch], "cpu_microseconds": mean of all threads' time}. On a device whose backend makes features
 * the clips lie in its memory, and a time is the mean of --report batches, the wait for the device
 * at their end included; K is rounded up to them. On the CPU --threads OpenMP threads compute.
 */
#include "engine/core/context.h"
#include "engine/core/rng.h"
#include "frontends/batch.h"
#include "runner/help.h"
#include "runner/options.h"
#include "runner/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TIMES = 65536, LINE_SIZE = 256 };

typedef struct bench_options {
    int64_t batch, threads, report;
    bool record;
    int type;
    char device[DV_STRING_SIZE];
} bench_options;

static const char *const type_names[] = {"mfcc", "mel", "spectrogram", NULL}; /* dv_feature_type */

static const dv_field fields[] = {
    DV_INT(bench_options, batch, "256", 1, 65536, "clips in a batch"),
    DV_INT(bench_options, threads, "1", 0, 1024, "0: as many as there are physical cores"),
    DV_INT(bench_options, report, "1", 1, 1024, "batches to a time, on a GPU"),
    DV_BOOL(bench_options, record, "true", "on a GPU, replay a recorded batch"),
    DV_ENUM(bench_options, type, "mfcc", type_names, "features"),
    DV_STRING(bench_options, device, "cpu", "cpu, cuda, cuda:N or cudasim"),
    DV_END,
};

static const dv_options options = {
    .command = "bench_features",
    .operands = "",
    .summary = "Times the front-end on request; see benchmarks/README.md.",
    .least = 0,
    .most = 0,
    .fields = fields,
};

typedef struct bench {
    bench_options chosen;
    dv_context *context;
    dv_frontend *frontend;
    dv_dataset dataset;
    int64_t *indices; /* (batch) */
    int64_t report, size;
    /* On the host. */
    dv_batch *host;
    float *features; /* (batch, size) */
    /* On the device. */
    const dv_features_impl *impl; /* NULL: on the host */
    dv_clip_store *store;
    void *order, *device_features;
    void *recording;
    double seconds[MAX_TIMES];
} bench;

static double read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Clips: noise, as many as a batch has ---- */

static dv_status make_clips(bench *b)
{
    int64_t count = b->chosen.batch, samples = dv_frontend_config(b->frontend)->sample_rate;
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST};
    DV_TRY(dv__calloc((size_t)count, sizeof *b->dataset.clips, &b->dataset.clips));
    DV_TRY(dv__calloc((size_t)count, sizeof *b->indices, &b->indices));
    b->dataset.count = (size_t)count;
    for (int64_t i = 0; i < count; i++) {
        dv_clip *clip = &b->dataset.clips[i];
        DV_TRY(dv__calloc((size_t)samples, sizeof *clip->samples, &clip->samples));
        clip->count = samples;
        rng.step = (uint64_t)i;
        for (int64_t k = 0; k < samples; k++)
            clip->samples[k] = 0.1F * (float)dv_rng_normal(&rng, (uint32_t)k);
        clip->center = dv_frontend_prepare(b->frontend, clip->samples, samples);
        b->indices[i] = i;
    }
    return DV_OK;
}

/* ---- On the device ---- */

static dv_status make_store(bench *b)
{
    int64_t count = b->chosen.batch;
    dv_clip_view *views;
    DV_TRY(dv__calloc((size_t)count, sizeof *views, &views));
    for (int64_t i = 0; i < count; i++) {
        const dv_clip *clip = &b->dataset.clips[i];
        views[i] =
            (dv_clip_view){.samples = clip->samples, .count = clip->count, .center = clip->center};
    }
    dv_feature_tables tables;
    dv_frontend_tables(b->frontend, &tables);
    dv_clip_list clips = {.clips = views, .count = count, .classes = 1};
    dv_status status = b->impl->create(b->context, &tables, &clips, count, &b->store);
    free(views);
    return status;
}

static dv_status make_order(bench *b)
{
    int64_t count = b->chosen.batch;
    size_t bytes = (size_t)count * sizeof(int32_t);
    int32_t *order;
    DV_TRY(dv__calloc((size_t)count, sizeof *order, &order));
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    dv_status status = b->context->backend->allocate(b->context, bytes, &b->order);
    if (status == DV_OK)
        status = b->context->backend->upload(b->context, b->order, order, bytes);
    free(order);
    return status;
}

static dv_status enqueue(const bench *b)
{
    dv_batch_request request = {.count = b->chosen.batch,
                                .order = b->order,
                                .order_count = b->chosen.batch,
                                .features = b->device_features};
    return b->impl->batch(b->store, &request);
}

/* Once call by call, since libraries load what they need then. */
static dv_status make_on_device(bench *b)
{
    const dv_backend *backend = b->context->backend;
    DV_TRY(make_store(b));
    DV_TRY(make_order(b));
    DV_TRY(backend->allocate(b->context, (size_t)(b->chosen.batch * b->size) * sizeof(float),
                             &b->device_features));
    DV_TRY(enqueue(b));
    DV_TRY(backend->wait(b->context));
    if (!b->chosen.record || backend->record == NULL)
        return DV_OK;
    DV_TRY(backend->record(b->context));
    dv_status status = enqueue(b);
    dv_status ended = backend->end_record(b->context, &b->recording);
    return status != DV_OK ? status : ended;
}

/* ---- Making ---- */

static dv_status make(bench *b)
{
    dv_features_config config;
    DV_TRY(dv_fields_default(dv_features_fields, &config));
    config.type = b->chosen.type;
    DV_TRY(dv_frontend_create(&config, &b->frontend));
    DV_TRY(dv_context_open(b->chosen.device, (int)b->chosen.threads, (dv_log){NULL, NULL},
                           &b->context));
    b->size = dv_frontend_rows(b->frontend) * dv_frontend_frames(b->frontend);
    b->impl = b->context->backend->features;
    b->report = b->impl != NULL ? b->chosen.report : 1;
    DV_TRY(make_clips(b));
    if (b->impl != NULL)
        return make_on_device(b);
    if (!b->context->backend->host_memory)
        return DV_FAIL(DV_EUNSUPPORTED, "%s makes no features", b->context->backend->name);
    DV_TRY(dv__calloc((size_t)(b->chosen.batch * b->size), sizeof *b->features, &b->features));
    return dv_batch_create(b->frontend, NULL, b->context->threads, &b->host);
}

static void drop(bench *b)
{
    if (b->context != NULL) {
        const dv_backend *backend = b->context->backend;
        if (b->recording != NULL)
            backend->release_recording(b->context, b->recording);
        if (b->order != NULL)
            backend->release(b->context, b->order);
        if (b->device_features != NULL)
            backend->release(b->context, b->device_features);
    }
    if (b->store != NULL)
        b->impl->destroy(b->store);
    dv_batch_free(b->host);
    dv_dataset_free(&b->dataset);
    dv_frontend_free(b->frontend);
    dv_context_close(b->context);
    free(b->indices);
    free(b->features);
    free(b);
}

/* ---- Answers ---- */

static dv_status make_batches(bench *b)
{
    if (b->impl == NULL) {
        dv_batch_features(b->host, &b->dataset, b->indices, b->chosen.batch, NULL, b->features);
        return DV_OK;
    }
    for (int64_t i = 0; i < b->report; i++)
        DV_TRY(b->recording != NULL ? b->context->backend->replay(b->context, b->recording)
                                    : enqueue(b));
    return b->context->backend->wait(b->context);
}

static dv_status run(bench *b, const char *argument)
{
    int64_t wanted;
    if (!dv_parse_int(argument, &wanted) || wanted < 1 || wanted > MAX_TIMES)
        return DV_FAIL(DV_EARG, "run: '%s' is not a number from 1 to %d", argument, MAX_TIMES);
    int64_t times = (wanted + b->report - 1) / b->report;
    double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID), start = read_clock(CLOCK_MONOTONIC);
    for (int64_t i = 0; i < times; i++) {
        DV_TRY(make_batches(b));
        double now = read_clock(CLOCK_MONOTONIC);
        b->seconds[i] = (now - start) / (double)b->report;
        start = now;
    }
    cpu = (read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)(times * b->report);
    printf("{\"microseconds\": [");
    for (int64_t i = 0; i < times; i++)
        printf("%s%.9g", i > 0 ? ", " : "", b->seconds[i] * 1e6);
    printf("], \"cpu_microseconds\": %.3f}\n", cpu * 1e6);
    fflush(stdout);
    return DV_OK;
}

static dv_status serve(bench *b)
{
    char line[LINE_SIZE];
    printf("{\"rows\": %" PRId64 ", \"frames\": %" PRId64 ", \"batch\": %" PRId64
           ", \"threads\": %d, \"on_device\": %s, \"version\": \"%s\"}\n",
           dv_frontend_rows(b->frontend), dv_frontend_frames(b->frontend), b->chosen.batch,
           b->context->threads, b->impl != NULL ? "true" : "false", b->context->backend->version());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "quit\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "run ", 4) != 0)
            return DV_FAIL(DV_EARG, "no command '%s'", line);
        DV_TRY(run(b, line + 4));
    }
    return DV_OK;
}

int main(int argc, char **argv)
{
    dv_wait_briefly(argv);
    bench *b;
    dv_arguments arguments;
    dv_status status = dv__calloc(1, sizeof *b, &b);
    if (status == DV_OK)
        status = dv_options_parse(&options, argc - 1, argv + 1, &b->chosen, &arguments);
    if (status == DV_OK && arguments.help) {
        dv_options_help(stdout, &options);
        dv_arguments_free(&arguments);
        drop(b);
        return EXIT_SUCCESS;
    }
    if (status == DV_OK) {
        dv_arguments_free(&arguments);
        status = make(b);
    }
    if (status == DV_OK)
        status = serve(b);
    if (status != DV_OK)
        fprintf(stderr, "bench_features: %s\n", dv_error_message());
    if (b != NULL)
        drop(b);
    return status == DV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
