/* Times the loading of a data set and whole epochs of training. */
#include "benchmarks/epochs.h"

#include "benchmarks/tones.h"
#include "frontends/batch/source.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, CLIPS = 500, MOST_LOADS = 9, MOST_EPOCHS = 1000 };

typedef struct epochs {
    bench *bench;
    dv_tree *model;
    dv_data_config data;
    dv_frontend *frontend;
    dv_dataset dataset;
    dv_clip_source *source;
    dv_trainer *trainer;
    double seconds, begun, ends; /* seconds to measure; moments of the clock */
    double *times;               /* (MOST_EPOCHS) */
    int64_t count;
    bool stop;
} epochs;

/* ---- Data ---- */

static dv_status find_data(epochs *e)
{
    const bench_options *chosen = &e->bench->chosen;
    memset(&e->data, 0, sizeof e->data);
    strcpy(e->data.split, "train");
    e->data.max_seconds = 60;
    if (chosen->data[0] != '\0') {
        strcpy(e->data.path, chosen->data);
        return DV_OK;
    }
    DV_TRY(bench_temporary(e->bench));
    strcpy(e->data.path, e->bench->folder);
    return tones_write(e->bench->folder, dv_frontend_config(e->frontend)->sample_rate,
                       chosen->clip_seconds, chosen->clips > 0 ? chosen->clips : CLIPS);
}

static dv_status load(epochs *e)
{
    dv_dataset_free(&e->dataset);
    e->dataset = (dv_dataset){0};
    DV_TRY(dv_dataset_prepare(&e->data, &e->dataset));
    return dv_dataset_load(&e->dataset, e->frontend, e->data.max_seconds, &(dv_log){NULL, NULL});
}

/* Loads the data set again and again; the last one is kept for the epochs. */
static dv_status measure_load(epochs *e, epochs_result *out)
{
    double times[MOST_LOADS], end = dv_clock() + e->seconds;
    int64_t count = 0;
    omp_set_num_threads(e->bench->threads);
    do {
        double begin = dv_clock();
        DV_TRY(load(e));
        times[count++] = dv_clock() - begin;
    } while (count < MOST_LOADS && dv_clock() < end);
    out->load = dv_times_of(times, count);
    out->clips = (int64_t)e->dataset.count;
    out->samples = 0;
    for (size_t i = 0; i < e->dataset.count; i++)
        out->samples += e->dataset.clips[i].count * (int64_t)sizeof(float);
    return DV_OK;
}

/* ---- Training ---- */

static dv_status after_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    (void)trainer, (void)metrics;
    epochs *e = user;
    double now = dv_clock();
    e->times[e->count++] = now - e->begun;
    e->begun = now;
    e->stop = e->count == MOST_EPOCHS || now > e->ends;
    return DV_OK;
}

static dv_train_next what_next(void *user)
{
    const epochs *e = user;
    return e->stop ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

static dv_status make_trainer(epochs *e)
{
    bench *b = e->bench;
    dv_augment_config augment;
    dv_train_config train;
    DV_TRY(dv_fields_default(dv_augment_fields, &augment));
    DV_TRY(dv_fields_default(dv_train_fields, &train));
    train.epochs = MOST_EPOCHS;
    train.patience = 0;
    train.batch_size = b->chosen.batch > 0 ? b->chosen.batch : BATCH;
    bench_set_training(b->chosen.precision, &train);
    DV_TRY(dv_clip_source_create(b->context, &e->dataset, e->frontend, &augment, train.batch_size,
                                 b->threads, &e->source));
    return dv_trainer_create(b->context, &train, e->model, dv_clip_source_get(e->source),
                             &e->trainer);
}

static dv_status measure_epochs(epochs *e, epochs_result *out)
{
    DV_TRY(make_trainer(e));
    DV_TRY(dv_calloc(MOST_EPOCHS, sizeof *e->times, &e->times));
    dv_train_events events = {.user = e, .epoch = after_epoch, .next = what_next};
    e->begun = dv_clock();
    e->ends = e->begun + e->seconds;
    dv_status status = dv_trainer_run(e->trainer, &events);
    if (status != DV_OK && status != DV_EINTERRUPTED)
        return status;
    int64_t first = e->count > 2 ? 1 : 0;
    out->epoch = dv_times_of(e->times + first, e->count - first);
    out->batch = dv_trainer_batch_size(e->trainer);
    return DV_OK;
}

static dv_status measure(epochs *e, const char *model, epochs_result *out)
{
    dv_features_config features;
    DV_TRY(dv_fields_default(dv_features_fields, &features));
    DV_TRY(dv_frontend_create(&features, &e->frontend));
    DV_TRY(bench_model(e->bench, model, &e->model));
    DV_TRY(find_data(e));
    DV_TRY(measure_load(e, out));
    return measure_epochs(e, out);
}

dv_status epochs_measure(bench *b, const char *model, double seconds, epochs_result *out)
{
    epochs e = {.bench = b, .seconds = seconds};
    dv_status status = measure(&e, model, out);
    dv_trainer_free(e.trainer);
    dv_clip_source_free(e.source);
    dv_dataset_free(&e.dataset);
    dv_frontend_free(e.frontend);
    dv_tree_free(e.model);
    free(e.times);
    return status;
}
