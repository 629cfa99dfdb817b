#include "tests/support/feature_rig.h"
#include "tests/support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tolerances, as shares of the range of a clip's features, or of 1. The first is that of the fast
   form in test_features.c. Against the fast form itself both sides may be off. */
static const double against_reference = 5e-4, against_fast = 5e-4;

dv_features_config defaults(void)
{
    dv_features_config config;
    must(dv_fields_default(dv_features_fields, &config));
    return config;
}

dv_features_config small(int type)
{
    dv_features_config config = defaults();
    config.type = type;
    config.duration = 0.2;
    config.n_fft = 256;
    config.window = 200;
    config.hop = 90;
    config.n_mels = 30;
    return config;
}

/* ---- Clips with noise below a tone, so that no bin holds only rounding; and corner cases ---- */

static const int64_t lengths[CLIPS] = {2000, 6000, 800, 1600, 1, 1601, 37};

static void make_clip(const dv_frontend *frontend, int64_t number, dv_clip *clip)
{
    dv_rng noise = {.seed = 3, .use = DV_RNG_TEST, .step = (uint64_t)number};
    clip->count = lengths[number];
    clip->samples = allocated((size_t)clip->count, sizeof *clip->samples);
    clip->label = (int)((number * 3 + 1) % CLASSES);
    for (int64_t i = 0; i < clip->count; i++) {
        double tone = 0.3 * sin(0.1 * (double)(number + 1) * (double)i);
        clip->samples[i] = (float)(tone + 0.1 * (dv_rng_uniform(&noise, (uint32_t)i) - 0.5));
    }
    if (number == 3) /* silence */
        memset(clip->samples, 0, (size_t)clip->count * sizeof *clip->samples);
    clip->center = dv_frontend_prepare(frontend, clip->samples, clip->count);
    if (number == 4) /* a click, which preparation would remove */
        clip->samples[0] = 0.5F;
}

void make_clips(rig *r)
{
    r->dataset.clips = allocated(CLIPS, sizeof *r->dataset.clips);
    r->dataset.count = CLIPS;
    for (int64_t i = 0; i < CLIPS; i++)
        make_clip(r->frontend, i, &r->dataset.clips[i]);
}

void view_clips(const rig *r, dv_clip_view *views, dv_clip_list *list)
{
    for (size_t i = 0; i < r->dataset.count; i++) {
        const dv_clip *clip = &r->dataset.clips[i];
        views[i] = (dv_clip_view){clip->samples, clip->count, clip->center, clip->label,
                                  dv_augment_rms(clip->samples, clip->count)};
    }
    *list = (dv_clip_list){.clips = views,
                           .count = (int64_t)r->dataset.count,
                           .classes = CLASSES,
                           .augment = *dv_augmenter_tables(r->augmenter)};
}

/* ---- The rig ---- */

void *on_device(const rig *r, const void *host, size_t bytes)
{
    void *memory;
    must(r->backend->allocate(r->context, bytes, &memory));
    if (host != NULL)
        must(r->backend->upload(r->context, memory, host, bytes));
    return memory;
}

static void make_order(rig *r)
{
    int32_t order[ORDER];
    for (int64_t i = 0; i < ORDER; i++) {
        r->indices[i] = (i * 5 + 2) % (int64_t)r->dataset.count;
        order[i] = (int32_t)r->indices[i];
    }
    r->order = on_device(r, order, sizeof order);
}

void finish_rig(rig *r, int64_t batch)
{
    dv_clip_view views[CLIPS];
    dv_clip_list list;
    dv_feature_tables tables;
    must(dv_augmenter_create(&r->augment, r->frontend, &r->augmenter));
    view_clips(r, views, &list);
    dv_frontend_tables(r->frontend, &tables);
    must(dv_device_batches_of(r->backend)->create(r->context, &tables, &list, batch, &r->store));
    must(dv_batch_create(r->frontend, r->augmenter, 1, &r->host));
    r->batch = batch;
    r->size = dv_frontend_rows(r->frontend) * dv_frontend_frames(r->frontend);
    make_order(r);
    r->progress = on_device(r, NULL, sizeof *r->progress);
    r->features = on_device(r, NULL, (size_t)(batch * r->size) * sizeof(float));
    r->targets = on_device(r, NULL, (size_t)(batch * CLASSES) * sizeof(float));
}

void begin_rig(rig *r, const dv_backend *backend, const dv_features_config *config)
{
    memset(r, 0, sizeof *r);
    r->backend = backend;
    must(dv_fields_default(dv_augment_fields, &r->augment));
    r->context = device_context();
    must(dv_frontend_create(config, &r->frontend));
}

void open_rig(rig *r, const dv_backend *backend, const dv_features_config *config, int64_t batch)
{
    begin_rig(r, backend, config);
    make_clips(r);
    finish_rig(r, batch);
}

void close_rig(rig *r)
{
    dv_device_batches_of(r->backend)->destroy(r->store);
    void *const memory[] = {r->order, r->progress, r->features, r->targets};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        r->backend->release(r->context, memory[i]);
    dv_batch_free(r->host);
    dv_augmenter_free(r->augmenter);
    dv_dataset_free(&r->dataset);
    dv_frontend_free(r->frontend);
}

dv_batch_request evaluation(const rig *r, int64_t first, int64_t count)
{
    return (dv_batch_request){.count = count,
                              .order = r->order,
                              .order_count = ORDER,
                              .first = first,
                              .features = r->features,
                              .targets = r->targets};
}

dv_batch_request training(const rig *r)
{
    return (dv_batch_request){.count = r->batch,
                              .order = r->order,
                              .order_count = ORDER,
                              .progress = r->progress,
                              .steps_per_epoch = (uint64_t)(ORDER / r->batch),
                              .seed = 0x123456789ABCDEFU,
                              .features = r->features,
                              .targets = r->targets};
}

void poison(const rig *r)
{
    size_t count = (size_t)(r->batch * (r->size > CLASSES ? r->size : CLASSES));
    float *nan = allocated(count, sizeof *nan);
    for (size_t i = 0; i < count; i++)
        nan[i] = NAN;
    must(r->backend->upload(r->context, r->features, nan,
                            (size_t)(r->batch * r->size) * sizeof *nan));
    must(r->backend->upload(r->context, r->targets, nan,
                            (size_t)(r->batch * CLASSES) * sizeof *nan));
    free(nan);
}

void set_step(const rig *r, uint64_t step)
{
    dv_progress progress = {.step = step, .loss_scale = 1};
    must(r->backend->upload(r->context, r->progress, &progress, sizeof progress));
}

float *download(const rig *r, const void *memory, int64_t count)
{
    float *values = allocated((size_t)count, sizeof *values);
    must(r->backend->download(r->context, values, memory, (size_t)count * sizeof *values));
    return values;
}

float *run(const rig *r, const dv_batch_request *request)
{
    poison(r);
    must(dv_device_batches_of(r->backend)->batch(r->store, request));
    return download(r, r->features, r->batch * r->size);
}

/* ---- Comparing ---- */

static void require_close(const char *what, const float *got, const double *want, int64_t count,
                          double tolerance)
{
    double low = want[0], high = want[0];
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, want[i]);
        high = fmax(high, want[i]);
    }
    double scale = fmax(high - low, 1);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * scale))
            fail_msg("%s: value %" PRId64 " is %.9g, expected %.9g (range %g)", what, i,
                     (double)got[i], want[i], scale);
}

void require_like_host(const rig *r, const char *what, const float *got, const int64_t *indices,
                       int64_t count, const dv_rng *rng)
{
    float *want = allocated((size_t)(count * r->size), sizeof *want);
    double *clip = allocated((size_t)r->size, sizeof *clip);
    dv_batch_features(r->host, &r->dataset, indices, count, rng, want);
    for (int64_t i = 0; i < count; i++) {
        char title[200];
        snprintf(title, sizeof title, "%s, place %" PRId64 " (clip %" PRId64 ")", what, i,
                 indices[i]);
        for (int64_t k = 0; k < r->size; k++)
            clip[k] = (double)want[i * r->size + k];
        require_close(title, got + i * r->size, clip, r->size, against_fast);
    }
    free(want);
    free(clip);
}

void require_targets(const rig *r, const int64_t *indices, int64_t count)
{
    float *targets = download(r, r->targets, r->batch * CLASSES);
    for (int64_t i = 0; i < count * CLASSES; i++) {
        int label = r->dataset.clips[indices[i / CLASSES]].label;
        assert_true(targets[i] == (i % CLASSES == label ? 1.0F : 0.0F));
    }
    for (int64_t i = count * CLASSES; i < r->batch * CLASSES; i++)
        assert_true(isnan(targets[i]));
    free(targets);
}

void require_like_reference(const rig *r, const char *what, const float *got, int64_t index)
{
    const dv_clip *clip = &r->dataset.clips[index];
    float *window = allocated((size_t)dv_frontend_samples(r->frontend), sizeof *window);
    double *want = allocated((size_t)r->size, sizeof *want);
    dv_frontend_cut(r->frontend, clip->samples, clip->count, clip->center, 0, 1, window);
    must(dv_frontend_reference(dv_frontend_config(r->frontend), window, true, want));
    require_close(what, got, want, r->size, against_reference);
    free(window);
    free(want);
}
