#include "frontends/batch.h"

#include <omp.h>
#include <stdlib.h>

enum { ALIGNMENT = 64 }; /* of a cache line, and what dv_frontend_compute asks for */

struct dv_batch {
    const dv_frontend *frontend;
    int threads;
    size_t window_size; /* bytes, a multiple of ALIGNMENT */
    size_t thread_size; /* bytes: the window, then the front-end's scratch */
    char *memory;       /* (threads, thread_size) */
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

dv_status dv_batch_create(const dv_frontend *frontend, int threads, dv_batch **out)
{
    dv_batch *batch;
    *out = NULL;
    DV_TRY(dv__calloc(1, sizeof *batch, &batch));
    batch->frontend = frontend;
    batch->threads = threads > 0 ? threads : omp_get_max_threads();
    batch->window_size = aligned((size_t)dv_frontend_samples(frontend) * sizeof(float));
    batch->thread_size = batch->window_size + aligned(dv_frontend_scratch(frontend));
    size_t size = (size_t)batch->threads * batch->thread_size;
    batch->memory = aligned_alloc(ALIGNMENT, size);
    if (batch->memory == NULL) {
        free(batch);
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", size);
    }
    *out = batch;
    return DV_OK;
}

void dv_batch_free(dv_batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->memory);
    free(batch);
}

void dv_batch_features(dv_batch *batch, const dv_dataset *dataset, const int64_t *indices,
                       int64_t count, const dv_augment_config *augment, const dv_rng *rng,
                       float *features)
{
    const dv_frontend *frontend = batch->frontend;
    const int64_t sample_rate = dv_frontend_config(frontend)->sample_rate;
    const int64_t size = dv_frontend_rows(frontend) * dv_frontend_frames(frontend);
#pragma omp parallel for schedule(static) num_threads(batch->threads)
    for (int64_t i = 0; i < count; i++) {
        DV_ASSERT(indices[i] >= 0 && (size_t)indices[i] < dataset->count);
        const dv_clip *clip = &dataset->clips[indices[i]];
        DV_ASSERT(clip->samples != NULL);
        char *memory = batch->memory + (size_t)omp_get_thread_num() * batch->thread_size;
        float *window = (float *)(void *)memory;
        int64_t shift = 0;
        float gain = 1.0F;
        if (augment != NULL)
            dv_augment_draw(augment, rng, (uint32_t)i, sample_rate, &shift, &gain);
        dv_frontend_cut(frontend, clip->samples, clip->count, clip->center, shift, gain, window);
        dv_frontend_compute(frontend, window, features + i * size, memory + batch->window_size);
    }
}
