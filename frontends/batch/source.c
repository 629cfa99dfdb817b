/* Makes the trainer's batches from a data set: on the host by the front-end, or on a device that
   holds all clips. */
#include "frontends/batch/source.h"
#include "frontends/batch/device.h"

#include <stdlib.h>
#include <string.h>

struct dv_clip_source {
    dv_source source;
    const dv_dataset *dataset;
    dv_augmenter *augmenter;
    dv_batch_workspace *batch;
    int64_t *train, *validation; /* indices of clips */
    int64_t *chosen;             /* (train_count), the clips of the current batch */
    const dv_device_batches *device;
    dv_clip_store *store; /* training clips, then validation clips; NULL without a device */
};

/* Sets one-hot targets with the weights of the classes. A NULL `weights` stands for 1. */
static void fill_targets(const dv_clip_source *source, const int64_t *indices, int64_t count,
                         const float *weights, float *targets)
{
    int64_t classes = source->source.classes;
    memset(targets, 0, (size_t)(count * classes) * sizeof *targets);
    for (int64_t i = 0; i < count; i++) {
        int label = source->dataset->clips[indices[i]].label;
        targets[i * classes + label] = weights != NULL ? weights[label] : 1;
    }
}

static dv_status train_batch(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets)
{
    dv_clip_source *source = user;
    dv_rng rng = {.seed = seed, .use = DV_RNG_AUGMENT, .step = step};
    for (int64_t i = 0; i < count; i++)
        source->chosen[i] = source->train[places[i]];
    dv_batch_features(source->batch, source->dataset, source->chosen, count, &rng, features);
    fill_targets(source, source->chosen, count, source->dataset->class_weights, targets);
    dv_augment_mix(source->augmenter, &rng, count, source->source.classes, targets);
    return DV_OK;
}

static dv_status validation_batch(void *user, int64_t first, int64_t count, float *features,
                                  float *targets)
{
    dv_clip_source *source = user;
    const int64_t *indices = source->validation + first;
    dv_batch_features(source->batch, source->dataset, indices, count, NULL, features);
    fill_targets(source, indices, count, NULL, targets);
    return DV_OK;
}

static dv_status device_batch(void *user, const dv_batch_request *request)
{
    dv_clip_source *source = user;
    return source->device->batch(source->store, request);
}

static void list_clips(const dv_dataset *dataset, const int64_t *indices, int64_t count,
                       dv_clip_view *views)
{
    for (int64_t i = 0; i < count; i++) {
        const dv_clip *clip = &dataset->clips[indices[i]];
        views[i] = (dv_clip_view){.samples = clip->samples,
                                  .count = clip->count,
                                  .center = clip->center,
                                  .label = clip->label,
                                  .rms = dv_augment_rms(clip->samples, clip->count)};
    }
}

/* Copies all clips to the device, training clips before validation clips. */
static dv_status make_store(dv_clip_source *source, dv_context *context,
                            const dv_frontend *frontend, int64_t batch)
{
    dv_source *out = &source->source;
    int64_t count = out->train_count + out->validation_count;
    dv_clip_view *views;
    DV_TRY(dv_calloc((size_t)count, sizeof *views, &views));
    list_clips(source->dataset, source->train, out->train_count, views);
    list_clips(source->dataset, source->validation, out->validation_count,
               views + out->train_count);
    dv_clip_list clips = {.clips = views,
                          .count = count,
                          .classes = out->classes,
                          .class_weights = source->dataset->class_weights,
                          .augment = *dv_augmenter_tables(source->augmenter)};
    dv_feature_tables tables;
    dv_frontend_tables(frontend, &tables);
    dv_status status =
        source->device->create(context, &tables, &clips,
                               batch < out->train_count ? batch : out->train_count, &source->store);
    free(views);
    if (status == DV_OK)
        out->device_batch = device_batch;
    return status;
}

static dv_status fill(dv_clip_source *source, dv_context *context, const dv_frontend *frontend,
                      const dv_augment_config *augment, int64_t batch, int threads)
{
    dv_source *out = &source->source;
    DV_TRY(dv_augmenter_create(augment, frontend, &source->augmenter));
    DV_TRY(dv_dataset_part(source->dataset, DV_PART_TRAIN, &source->train, &out->train_count));
    DV_TRY(dv_dataset_part(source->dataset, DV_PART_VALIDATION, &source->validation,
                           &out->validation_count));
    if (out->train_count == 0)
        return DV_FAIL(
            DV_EFORMAT,
            "there is nothing to train on: the training part of the data has no readable clip");
    DV_TRY(dv_calloc((size_t)out->train_count, sizeof *source->chosen, &source->chosen));
    source->device = context != NULL ? dv_device_batches_of(context->backend) : NULL;
    if (source->device != NULL)
        DV_TRY(make_store(source, context, frontend, batch));
    return dv_batch_create(frontend, source->augmenter, threads, &source->batch);
}

/* Batches can always be made on the host. If the backend can make them, fill() adds that way. */
dv_status dv_clip_source_create(dv_context *context, const dv_dataset *dataset,
                                const dv_frontend *frontend, const dv_augment_config *augment,
                                int64_t batch, int threads, dv_clip_source **out)
{
    *out = NULL;
    dv_clip_source *source;
    DV_TRY(dv_calloc(1, sizeof *source, &source));
    source->dataset = dataset;
    source->source = (dv_source){.user = source,
                                 .rows = dv_frontend_rows(frontend),
                                 .frames = dv_frontend_frames(frontend),
                                 .classes = (int64_t)dataset->label_count,
                                 .train_batch = train_batch,
                                 .validation_batch = validation_batch};
    dv_status status = fill(source, context, frontend, augment, batch, threads);
    if (status != DV_OK) {
        dv_clip_source_free(source);
        return status;
    }
    *out = source;
    return DV_OK;
}

void dv_clip_source_free(dv_clip_source *source)
{
    if (source == NULL)
        return;
    if (source->store != NULL)
        source->device->destroy(source->store);
    dv_batch_free(source->batch);
    dv_augmenter_free(source->augmenter);
    free(source->train);
    free(source->validation);
    free(source->chosen);
    free(source);
}

const dv_source *dv_clip_source_get(const dv_clip_source *source)
{
    return &source->source;
}
