#include "engine/core/threads.h"
#include "frontends/audio.h"
#include "frontends/dataset/internal.h"

#include <omp.h>
#include <stdlib.h>

static uint64_t key_of(const dv_dataset *dataset, const dv_clip *clip)
{
    return dv_noise_key(dataset->labels[clip->label], clip->path);
}

dv_status dv_dataset_give_noises(dv_dataset *dataset, const int64_t *indices, int64_t count,
                                 const dv_noise_files *noises, uint64_t seed)
{
    dv_status status;
    uint64_t *keys = NULL;
    size_t *which = NULL;
    DV_TRY_GOTO(dv__calloc((size_t)count, sizeof *keys, &keys));
    DV_TRY_GOTO(dv__calloc((size_t)count, sizeof *which, &which));
    for (int64_t i = 0; i < count; i++)
        keys[i] = key_of(dataset, &dataset->clips[indices[i]]);
    DV_TRY_GOTO(dv_noise_share(seed, keys, (size_t)count, noises->count, which));
    for (size_t i = 0; i < dataset->count; i++)
        dataset->clips[i].noise = NULL;
    for (int64_t i = 0; i < count; i++)
        dataset->clips[indices[i]].noise = &noises->items[which[i]];
fail:
    free(keys);
    free(which);
    return status;
}

/* What loading a clip takes. */
typedef struct loading {
    dv_dataset *dataset;
    const dv_frontend *frontend;
    double max_seconds;
    const dv_noise_mix *mix; /* NULL: none */
} loading;

/* Reads and prepares one clip; *problem says why that failed, owned by the caller. */
static dv_status load_clip(const loading *how, dv_clip *clip, char **problem)
{
    dv_audio audio;
    const dv_frontend *frontend = how->frontend;
    int64_t sample_rate = dv_frontend_config(frontend)->sample_rate;
    dv_status status = dv_audio_read(clip->path, sample_rate, how->max_seconds, &audio);
    if (status != DV_OK) {
        dv_status copied = dv__strdup(dv_error_message(), problem);
        return copied != DV_OK ? copied : status;
    }
    if (how->mix != NULL)
        dv_noise_add(clip->noise, how->mix->seed, key_of(how->dataset, clip), how->mix->snr,
                     audio.samples, audio.count);
    free(clip->samples);
    clip->samples = audio.samples;
    clip->count = audio.count;
    clip->center = dv_frontend_prepare(frontend, clip->samples, clip->count);
    return DV_OK;
}

/* Closes the gaps that the clips with a problem leave, in order; says each. */
static void leave_out(dv_dataset *dataset, char *const *problems, const dv_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (problems[i] == NULL) {
            dataset->clips[kept++] = *clip;
            continue;
        }
        dv__log(log, DV_LOG_WARNING, "clip left out: %s", problems[i]);
        dv__clip_free(clip);
        dataset->skipped++;
    }
    dataset->count = kept;
}

dv_status dv_dataset_load(dv_dataset *dataset, const dv_frontend *frontend, double max_seconds,
                          const dv_log *log)
{
    return dv_dataset_load_noisy(dataset, frontend, max_seconds, NULL, log);
}

dv_status dv_dataset_load_noisy(dv_dataset *dataset, const dv_frontend *frontend,
                                double max_seconds, const dv_noise_mix *mix, const dv_log *log)
{
    const loading how = {dataset, frontend, max_seconds, mix};
    char **problems; /* (count), NULL where the clip is good */
    size_t total = dataset->count;
    DV_TRY(dv__calloc(total, sizeof *problems, &problems));

    bool no_memory = false;
    int threads = dv_threads_reserve(omp_get_max_threads(), log);
#pragma omp parallel for schedule(dynamic, 8) reduction(|| : no_memory) num_threads(threads)
    for (size_t i = 0; i < total; i++) {
        if (mix != NULL && dataset->clips[i].noise == NULL)
            continue;
        dv_status status = load_clip(&how, &dataset->clips[i], &problems[i]);
        no_memory = no_memory || status == DV_ENOMEM;
    }

    dv_status status = DV_OK;
    if (no_memory) {
        status = DV_FAIL(DV_ENOMEM, "out of memory while reading %zu clips", total);
    } else {
        leave_out(dataset, problems, log);
        if (dataset->count == 0)
            status = DV_FAIL(DV_EFORMAT, "none of the %zu clips can be read; the first: %s", total,
                             total > 0 ? problems[0] : "there is none");
    }
    for (size_t i = 0; i < total; i++)
        free(problems[i]);
    free(problems);
    return status;
}
