/* Makes batches of features on the host or on a device, for programs that time them. */
#include "benchmarks/batches.h"
#include "engine/backends/open.h"

#include "engine/base/rng.h"
#include "frontends/batch/batch.h"
#include "frontends/batch/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
const dv_field batches_fields[] = {
    DV_INT(batches_options, batch, "256", 1, 65536, "clips in a batch"),
    DV_INT(batches_options, threads, "1", 0, 1024, "threads; 0 uses all physical cores"),
    DV_INT(batches_options, report, "1", 1, 1024, "batches per time, on a GPU"),
    DV_BOOL(batches_options, record, "true", "replay a recorded batch, on a GPU"),
    DV_ENUM(batches_options, type, "mfcc", dv_feature_type_names, "kind of features"),
    DV_BOOL(batches_options, plain, "false", "unchanged clips, features as in librosa"),
    DV_STRING(batches_options, device, "cpu", "cpu, cuda, cuda:N or cudasim"),
    DV_STRING(batches_options, samples, "", "file of raw floats (batch, 8000), or else noise"),
    DV_END,
};

struct batches {
    batches_options chosen;
    dv_context *context;
    dv_frontend *frontend;
    dv_augmenter *augmenter; /* NULL without augmentation */
    dv_dataset dataset;
    float *samples;   /* (rotation, batch, rate) before dv_frontend_prepare */
    bool whole;       /* each batch prepares its clips again */
    int64_t *indices; /* (rotation, batch) */
    int64_t report, size;
    uint64_t number; /* number of batches so far */
    /* On the host. */
    dv_batch_workspace *host;
    float *features; /* (batch, size) */
    /* On the device. */
    const dv_device_batches *impl; /* NULL if batches are made on the host */
    dv_clip_store *store;
    void *order, *device_features;
    void *recording;
};

/* ---- Clips of all batches ---- */

static void make_noise(float *samples, int64_t clips, int64_t count)
{
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST};
    for (int64_t i = 0; i < clips; i++) {
        rng.step = (uint64_t)i;
        for (int64_t k = 0; k < count; k++)
            samples[i * count + k] = 0.1F * (float)dv_rng_normal(&rng, (uint32_t)k);
    }
}

static dv_status read_samples(const char *path, float *samples, size_t count)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno));
    size_t found = fread(samples, sizeof *samples, count, file);
    bool more = fgetc(file) != EOF;
    fclose(file);
    if (found != count || more)
        return DV_FAIL(DV_EFORMAT, "%s: does not hold %zu floats", path, count);
    return DV_OK;
}

static void prepare_clip(const batches *b, int64_t i)
{
    dv_clip *clip = &b->dataset.clips[i];
    memcpy(clip->samples, b->samples + i * clip->count,
           (size_t)clip->count * sizeof *clip->samples);
    clip->center = dv_frontend_prepare(b->frontend, clip->samples, clip->count);
}

static dv_status make_clips(batches *b)
{
    int64_t count = b->chosen.batch * b->chosen.rotation;
    int64_t samples = dv_frontend_config(b->frontend)->sample_rate;
    DV_TRY(dv_calloc((size_t)(count * samples), sizeof *b->samples, &b->samples));
    if (b->chosen.samples[0] != '\0')
        DV_TRY(read_samples(b->chosen.samples, b->samples, (size_t)(count * samples)));
    else
        make_noise(b->samples, count, samples);
    DV_TRY(dv_calloc((size_t)count, sizeof *b->dataset.clips, &b->dataset.clips));
    DV_TRY(dv_calloc((size_t)count, sizeof *b->indices, &b->indices));
    b->dataset.count = (size_t)count;
    for (int64_t i = 0; i < count; i++) {
        dv_clip *clip = &b->dataset.clips[i];
        DV_TRY(dv_calloc((size_t)samples, sizeof *clip->samples, &clip->samples));
        clip->count = samples;
        prepare_clip(b, i);
        b->indices[i] = i;
    }
    return DV_OK;
}

/* ---- On the device ---- */

static dv_status make_store(batches *b)
{
    int64_t count = b->chosen.batch;
    dv_clip_view *views;
    DV_TRY(dv_calloc((size_t)count, sizeof *views, &views));
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

static dv_status make_order(batches *b)
{
    int64_t count = b->chosen.batch;
    size_t bytes = (size_t)count * sizeof(int32_t);
    int32_t *order;
    DV_TRY(dv_calloc((size_t)count, sizeof *order, &order));
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    dv_status status = b->context->backend->allocate(b->context, bytes, &b->order);
    if (status == DV_OK)
        status = b->context->backend->upload(b->context, b->order, order, bytes);
    free(order);
    return status;
}

static dv_status enqueue(const batches *b)
{
    dv_batch_request request = {.count = b->chosen.batch,
                                .order = b->order,
                                .order_count = b->chosen.batch,
                                .features = b->device_features};
    return b->impl->batch(b->store, &request);
}

/* The first batch runs call by call: libraries load kernels then, which a recording forbids. */
static dv_status make_on_device(batches *b)
{
    const dv_backend *backend = b->context->backend;
    DV_TRY(make_store(b));
    DV_TRY(make_order(b));
    DV_TRY(backend->allocate(b->context, (size_t)(b->chosen.batch * b->size) * sizeof(float),
                             &b->device_features));
    DV_TRY(enqueue(b));
    DV_TRY(backend->wait(b->context));
    if (!b->chosen.record || backend->capture == NULL)
        return DV_OK;
    DV_TRY(backend->capture(b->context));
    dv_status status = enqueue(b);
    dv_status ended = backend->end_capture(b->context, &b->recording);
    return status != DV_OK ? status : ended;
}

/* ---- Making ---- */

static dv_status make_augmenter(batches *b)
{
    dv_augment_config config;
    DV_TRY(dv_fields_default(dv_augment_fields, &config));
    if (b->chosen.augment == BATCHES_ALL) {
        config.speed = 1.1;
        config.noise = config.reverberation = config.clipping = config.telephone = 1;
        config.equalizer = 3;
        config.warp = 1.1;
        config.frequency_masks = config.time_masks = 1;
        config.mixup = 0.2;
    }
    return dv_augmenter_create(&config, b->frontend, &b->augmenter);
}

static dv_status make_on_host(batches *b)
{
    if (!b->context->backend->host_memory)
        return DV_FAIL(DV_EUNSUPPORTED, "%s makes no features", b->context->backend->name);
    DV_TRY(dv_calloc((size_t)(b->chosen.batch * b->size), sizeof *b->features, &b->features));
    if (b->chosen.augment != BATCHES_PLAIN)
        DV_TRY(make_augmenter(b));
    return dv_batch_create(b->frontend, b->augmenter, b->context->threads, &b->host);
}

static dv_status make(batches *b)
{
    dv_features_config config;
    DV_TRY(dv_fields_default(dv_features_fields, &config));
    config.type = b->chosen.type;
    if (b->chosen.plain) {
        config.placement = DV_PLACE_START;
        config.level = DV_LEVEL_NONE;
        config.mean = DV_OVER_NONE;
        config.deviation = DV_OVER_NONE;
    }
    DV_TRY(dv_frontend_create(&config, &b->frontend));
    DV_TRY(dv_context_open(b->chosen.device, (int)b->chosen.threads, (dv_log){NULL, NULL},
                           &b->context));
    b->size = dv_frontend_rows(b->frontend) * dv_frontend_frames(b->frontend);
    b->impl = dv_device_batches_of(b->context->backend);
    b->report = b->impl != NULL ? b->chosen.report : 1;
    if (b->impl != NULL && (b->chosen.augment != BATCHES_PLAIN || b->chosen.rotation > 1))
        return DV_FAIL(DV_EUNSUPPORTED, "only the host's batches are changed or taken in turn");
    DV_TRY(make_clips(b));
    return b->impl != NULL ? make_on_device(b) : make_on_host(b);
}

dv_status batches_open(const batches_options *options, batches **out)
{
    batches *b;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *b, &b));
    b->chosen = *options;
    if (b->chosen.rotation == 0)
        b->chosen.rotation = 1;
    dv_status status = make(b);
    if (status != DV_OK)
        batches_close(b);
    else
        *out = b;
    return status;
}

void batches_close(batches *b)
{
    if (b == NULL)
        return;
    if (b->context != NULL) {
        const dv_backend *backend = b->context->backend;
        if (b->recording != NULL)
            backend->release_captured(b->context, b->recording);
        if (b->order != NULL)
            backend->release(b->context, b->order);
        if (b->device_features != NULL)
            backend->release(b->context, b->device_features);
    }
    if (b->store != NULL)
        b->impl->destroy(b->store);
    dv_batch_free(b->host);
    dv_augmenter_free(b->augmenter);
    dv_dataset_free(&b->dataset);
    dv_frontend_free(b->frontend);
    dv_context_close(b->context);
    free(b->samples);
    free(b->indices);
    free(b->features);
    free(b);
}

/* ---- Batches ---- */

static void make_host_batch(batches *b)
{
    uint64_t number = b->number++;
    const int64_t *indices =
        b->indices + (int64_t)(number % (uint64_t)b->chosen.rotation) * b->chosen.batch;
    for (int64_t i = 0; b->whole && i < b->chosen.batch; i++)
        prepare_clip(b, indices[i]);
    dv_rng rng = {.seed = 1, .use = DV_RNG_AUGMENT, .step = number};
    dv_batch_features(b->host, &b->dataset, indices, b->chosen.batch,
                      b->augmenter != NULL ? &rng : NULL, b->features);
}

dv_status batches_make(void *user)
{
    batches *b = user;
    if (b->impl == NULL) {
        make_host_batch(b);
        return DV_OK;
    }
    for (int64_t i = 0; i < b->report; i++)
        DV_TRY(b->recording != NULL ? b->context->backend->replay(b->context, b->recording)
                                    : enqueue(b));
    return b->context->backend->wait(b->context);
}

int64_t batches_report(const batches *b)
{
    return b->report;
}

bool batches_on_device(const batches *b)
{
    return b->impl != NULL;
}

int64_t batches_rows(const batches *b)
{
    return dv_frontend_rows(b->frontend);
}

int64_t batches_frames(const batches *b)
{
    return dv_frontend_frames(b->frontend);
}

const dv_context *batches_context(const batches *b)
{
    return b->context;
}

bool batches_set_whole(batches *b, bool whole)
{
    b->whole = whole && b->impl == NULL;
    return b->whole == whole;
}

const float *batches_features(const batches *b)
{
    return b->features;
}
