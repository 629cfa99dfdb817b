/* The suites train and infer: steps of each model, and whole epochs. */
#include "benchmarks/bench.h"
#include "benchmarks/epochs.h"
#include "benchmarks/steps.h"

#include <string.h>

enum {
    REPORT = 64,      /* steps per time, on a device with memory of its own */
    BYTES = 16 << 20, /* approximate size of all batches that are taken in turn */
    LEAST_TIMES = 5,
    MOST_TIMES = 20000
};

/* ---- Steps: first ones, warming ones, then those that count ---- */

typedef struct measuring {
    double seconds;
    int stage;
    dv_times times;
    double processor;
} measuring;

static int64_t as_many(double seconds, double one, int64_t least)
{
    double count = seconds / one;
    return count > MOST_TIMES ? MOST_TIMES : count > (double)least ? (int64_t)count : least;
}

static dv_status next_stage(void *user, steps *s, int64_t *wanted)
{
    measuring *m = user;
    int64_t report = steps_context(s)->backend->host_memory ? 1 : steps_chosen(s)->report;
    steps_times last = steps_measured(s);
    double one = 0;
    if (m->stage > 0) {
        m->times = dv_times_of(last.seconds, last.count);
        one = m->times.median * (double)report;
    }
    m->processor = last.processor;
    switch (m->stage++) {
    case 0:
        *wanted = 2 * report;
        break;
    case 1:
        *wanted = as_many(m->seconds / 5, one, 1) * report;
        break;
    case 2:
        *wanted = as_many(m->seconds, one, LEAST_TIMES) * report;
        break;
    default:
        *wanted = 0;
    }
    return DV_OK;
}

static dv_status set_options(const bench *b, int64_t batch, bool inference, steps_options *out)
{
    DV_TRY(dv_fields_default(steps_fields, out));
    out->batch = batch;
    out->threads = b->threads;
    out->inference = inference;
    out->precision = b->chosen.precision;
    memcpy(out->device, b->chosen.device, sizeof out->device);
    int64_t bytes = batch * out->rows * out->frames * (int64_t)sizeof(float);
    out->batches = BYTES / bytes < 2 ? 2 : BYTES / bytes > 64 ? 64 : BYTES / bytes;
    if (!b->context->backend->host_memory) {
        out->resident = true;
        out->report = REPORT;
    }
    return DV_OK;
}

static dv_status write_steps(bench *b, const char *name, const steps *s, const measuring *m)
{
    double seconds = m->times.median, batch = (double)steps_chosen(s)->batch;
    /* Backward has one product for the inputs and one for the weights. */
    double flop = (steps_chosen(s)->inference ? 2 : 6) * (double)steps_macs(s);
    bench_result result = {.name = name,
                           .unit = "s",
                           .cache = steps_chosen(s)->resident ? "one batch on the device"
                                                              : "rotated batches",
                           .precision = dv_precision_names[b->chosen.precision],
                           .batch = steps_chosen(s)->batch,
                           .value = m->times,
                           .figures = {{"samples_per_s", batch / seconds},
                                       {"flop", flop},
                                       {"gflop_per_s", 1e-9 * flop / seconds},
                                       {"processor_s", m->processor},
                                       {"parameters", (double)steps_parameters(s)},
                                       {"arena_bytes", (double)steps_arena(s)}}};
    return bench_write(b, &result);
}

static dv_status measure_steps(bench *b, const char *name, const dv_tree *model, int64_t batch,
                               bool inference)
{
    steps_options options;
    steps *s;
    measuring m = {.seconds = bench_effort(b, 1).seconds};
    DV_TRY(set_options(b, batch, inference, &options));
    DV_TRY(steps_open(model, &options, &s));
    dv_status status = steps_run(s, next_stage, &m);
    if (status == DV_OK)
        status = steps_check(s);
    if (status == DV_OK)
        status = write_steps(b, name, s, &m);
    steps_close(s);
    return status;
}

static dv_status measure_batches(bench *b, const char *model_name, const int64_t *batches,
                                 bool inference)
{
    const int64_t one[] = {b->chosen.batch, 0};
    dv_tree *model;
    DV_TRY(bench_model(b, model_name, &model));
    dv_status status = DV_OK;
    for (const int64_t *batch = one[0] > 0 ? one : batches; status == DV_OK && *batch > 0;
         batch++) {
        char name[BENCH_NAME_SIZE];
        status = bench_format(name, sizeof name, "%s/%s/batch_%lld", inference ? "forward" : "step",
                              model_name, (long long)*batch);
        if (status == DV_OK && bench_wants(b, name))
            status = measure_steps(b, name, model, *batch, inference);
    }
    dv_tree_free(model);
    return status;
}

static dv_status measure_models(bench *b, const int64_t *batches, bool inference)
{
    bench_names models;
    DV_TRY(bench_list(b->chosen.models, ".yaml", &models));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < models.count; i++)
        status = measure_batches(b, models.items[i], batches, inference);
    bench_names_free(&models);
    return status;
}

/* ---- Epochs ---- */

static dv_status write_epochs(bench *b, const char *model, const epochs_result *epochs)
{
    char name[BENCH_NAME_SIZE];
    double clips = (double)epochs->clips;
    bench_result result = {.unit = "s",
                           .name = name,
                           .precision = dv_precision_names[b->chosen.precision],
                           .batch = epochs->batch,
                           .cache = "as it comes"};
    DV_TRY(bench_format(name, sizeof name, "epoch/%s", model));
    result.value = epochs->epoch;
    result.figures[0] = (bench_figure){"clips", clips};
    result.figures[1] = (bench_figure){"clips_per_s", clips / epochs->epoch.median};
    DV_TRY(bench_write(b, &result));
    DV_TRY(bench_format(name, sizeof name, "epoch/%s/load", model));
    result.value = epochs->load;
    result.precision = NULL;
    result.cache = "files in the file cache";
    result.figures[1].value = clips / epochs->load.median;
    result.figures[2] = (bench_figure){"sound_bytes", (double)epochs->samples};
    return bench_write(b, &result);
}

static dv_status measure_epochs(bench *b)
{
    bench_names models;
    DV_TRY(bench_list(b->chosen.models, ".yaml", &models));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < models.count; i++) {
        char name[BENCH_NAME_SIZE];
        epochs_result result;
        status = bench_format(name, sizeof name, "epoch/%s", models.items[i]);
        if (status != DV_OK || !bench_wants(b, name))
            continue;
        status = epochs_measure(b, models.items[i], bench_effort(b, 1).seconds, &result);
        if (status == DV_OK)
            status = write_epochs(b, models.items[i], &result);
    }
    bench_names_free(&models);
    return status;
}

dv_status bench_suite_train(bench *b)
{
    static const int64_t batches[] = {8, 32, 128, 0};
    DV_TRY(measure_models(b, batches, false));
    return measure_epochs(b);
}

dv_status bench_suite_infer(bench *b)
{
    static const int64_t batches[] = {1, 4, 16, 64, 256, 1024, 0};
    return measure_models(b, batches, true);
}
