#include "frontends/source.h"

#include <stdlib.h>
#include <string.h>

struct dv_clip_source {
    dv_source source;
    const dv_dataset *dataset;
    dv_augment_config augment;
    dv_batch *batch;
    int64_t *train, *validation; /* indices of clips */
    int64_t *chosen;             /* (train_count) of the batch at hand */
};

static void fill_targets(const dv_clip_source *source, const int64_t *indices, int64_t count,
                         float *targets)
{
    int64_t classes = source->source.classes;
    memset(targets, 0, (size_t)(count * classes) * sizeof *targets);
    for (int64_t i = 0; i < count; i++)
        targets[i * classes + source->dataset->clips[indices[i]].label] = 1;
}

static dv_status train_batch(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets)
{
    dv_clip_source *source = user;
    dv_rng rng = {.seed = seed, .use = DV_RNG_AUGMENT, .step = step};
    for (int64_t i = 0; i < count; i++)
        source->chosen[i] = source->train[places[i]];
    dv_batch_features(source->batch, source->dataset, source->chosen, count, &source->augment, &rng,
                      features);
    fill_targets(source, source->chosen, count, targets);
    return DV_OK;
}

static dv_status validation_batch(void *user, int64_t first, int64_t count, float *features,
                                  float *targets)
{
    dv_clip_source *source = user;
    const int64_t *indices = source->validation + first;
    dv_batch_features(source->batch, source->dataset, indices, count, NULL, NULL, features);
    fill_targets(source, indices, count, targets);
    return DV_OK;
}

static dv_status fill(dv_clip_source *source, const dv_frontend *frontend, int threads)
{
    dv_source *out = &source->source;
    DV_TRY(dv_dataset_part(source->dataset, DV_TRAIN, &source->train, &out->train_count));
    DV_TRY(dv_dataset_part(source->dataset, DV_VALIDATION, &source->validation,
                           &out->validation_count));
    if (out->train_count == 0)
        return DV_FAIL(DV_EARG, "there is nothing to train on: no readable clip in the training "
                                "part of the data");
    DV_TRY(dv__calloc((size_t)out->train_count, sizeof *source->chosen, &source->chosen));
    return dv_batch_create(frontend, threads, &source->batch);
}

dv_status dv_clip_source_create(const dv_dataset *dataset, const dv_frontend *frontend,
                                const dv_augment_config *augment, int threads, dv_clip_source **out)
{
    *out = NULL;
    dv_clip_source *source;
    DV_TRY(dv__calloc(1, sizeof *source, &source));
    source->dataset = dataset;
    source->augment = *augment;
    source->source = (dv_source){.user = source,
                                 .rows = dv_frontend_rows(frontend),
                                 .frames = dv_frontend_frames(frontend),
                                 .classes = (int64_t)dataset->label_count,
                                 .train_batch = train_batch,
                                 .validation_batch = validation_batch};
    dv_status status = fill(source, frontend, threads);
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
    dv_batch_free(source->batch);
    free(source->train);
    free(source->validation);
    free(source->chosen);
    free(source);
}

const dv_source *dv_clip_source_get(const dv_clip_source *source)
{
    return &source->source;
}
