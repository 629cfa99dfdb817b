/* Computes batches of features on the host. Each thread has working memory of its own. */
#include "frontends/batch/batch.h"

#include <omp.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 }; /* bytes of a cache line; dv_frontend_compute also needs it */

struct dv_batch_workspace {
    const dv_frontend *frontend;
    const dv_augmenter *augmenter; /* may be NULL */
    int threads;
    size_t window_size, scratch_size; /* bytes, multiples of ALIGNMENT */
    size_t thread_size; /* bytes of the window and the scratch of front-end and augmenter */
    char *memory;       /* (threads, thread_size) */
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* One block of memory serves all threads. The part of each thread begins at a cache line, so that
   no two threads write into the same line. */
dv_status dv_batch_create(const dv_frontend *frontend, const dv_augmenter *augmenter, int threads,
                          dv_batch_workspace **out)
{
    dv_batch_workspace *batch;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *batch, &batch));
    batch->frontend = frontend;
    batch->augmenter = augmenter;
    batch->threads = threads > 0 ? threads : omp_get_max_threads();
    batch->window_size = aligned((size_t)dv_frontend_samples(frontend) * sizeof(float));
    batch->scratch_size = aligned(dv_frontend_scratch(frontend));
    batch->thread_size = batch->window_size + batch->scratch_size;
    if (augmenter != NULL)
        batch->thread_size += aligned(dv_augment_scratch(augmenter));
    size_t size = (size_t)batch->threads * batch->thread_size;
    batch->memory = aligned_alloc(ALIGNMENT, size);
    if (batch->memory == NULL) {
        free(batch);
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", size);
    }
    *out = batch;
    return DV_OK;
}

void dv_batch_free(dv_batch_workspace *batch)
{
    if (batch == NULL)
        return;
    free(batch->memory);
    free(batch);
}

/* Computes the features of one place in `memory`, which belongs to the thread. */
static void augmented_features(const dv_batch_workspace *batch, const dv_clip *clip,
                               const dv_rng *rng, uint32_t place, float *features, char *memory)
{
    const dv_augmenter *augmenter = batch->augmenter;
    float *window = (float *)(void *)memory;
    char *scratch = memory + batch->window_size;
    char *augment_scratch = scratch + batch->scratch_size;
    dv_augment_draws draws;
    dv_spectral_change change;
    dv_augment_draw(augmenter, rng, place, &draws);
    dv_augment_window(augmenter, rng, place, &draws, clip->samples, clip->count, clip->center,
                      window, augment_scratch);
    dv_augment_spectrum(augmenter, &draws, &change, augment_scratch);
    dv_frontend_compute_changed(batch->frontend, window, &change, features, scratch);
    dv_augment_mask_features(augmenter, rng, place, features);
}

static void plain_features(const dv_batch_workspace *batch, const dv_clip *clip, float *features,
                           char *memory)
{
    float *window = (float *)(void *)memory;
    dv_frontend_cut(batch->frontend, clip->samples, clip->count, clip->center, 0, 1, window);
    dv_frontend_compute(batch->frontend, window, features, memory + batch->window_size);
}

void dv_batch_features(dv_batch_workspace *batch, const dv_dataset *dataset, const int64_t *indices,
                       int64_t count, const dv_rng *rng, float *features)
{
    const dv_frontend *frontend = batch->frontend;
    const int64_t size = dv_frontend_rows(frontend) * dv_frontend_frames(frontend);
    const bool augmented = rng != NULL && batch->augmenter != NULL;
#pragma omp parallel for schedule(static) num_threads(batch->threads)
    for (int64_t i = 0; i < count; i++) {
        DV_ASSERT(indices[i] >= 0 && (size_t)indices[i] < dataset->count);
        const dv_clip *clip = &dataset->clips[indices[i]];
        DV_ASSERT(clip->samples != NULL);
        char *memory = batch->memory + (size_t)omp_get_thread_num() * batch->thread_size;
        if (augmented)
            augmented_features(batch, clip, rng, (uint32_t)i, features + i * size, memory);
        else
            plain_features(batch, clip, features + i * size, memory);
    }
    if (augmented)
        dv_augment_mix(batch->augmenter, rng, count, size, features);
}
