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

/* What became of one clip. */
typedef struct outcome {
    dv_status status;
    char *problem;    /* why there is no sound, owned; NULL: there is */
    unsigned remarks; /* see dv_audio */
} outcome;

/* Reads and prepares one clip. */
static dv_status load_clip(const loading *how, dv_clip *clip, outcome *out)
{
    dv_audio audio;
    const dv_frontend *frontend = how->frontend;
    int64_t sample_rate = dv_frontend_config(frontend)->sample_rate;
    dv_status status = dv_audio_read(clip->path, sample_rate, how->max_seconds, &audio);
    if (status != DV_OK) {
        dv_status copied = dv__strdup(dv_error_message(), &out->problem);
        return copied != DV_OK ? copied : status;
    }
    if (how->mix != NULL)
        dv_noise_add(clip->noise, how->mix->seed, key_of(how->dataset, clip), how->mix->snr,
                     audio.samples, audio.count);
    out->remarks = audio.remarks;
    free(clip->samples);
    clip->samples = audio.samples;
    clip->count = audio.count;
    clip->center = dv_frontend_prepare(frontend, clip->samples, clip->count);
    return DV_OK;
}

/* Closes the gaps that the clips with a problem leave, in order; says each. */
static void leave_out(dv_dataset *dataset, const outcome *outcomes, const dv_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (outcomes[i].problem == NULL) {
            dataset->clips[kept++] = *clip;
            continue;
        }
        dv__log(log, DV_LOG_WARNING, "clip left out: %s", outcomes[i].problem);
        dataset->skipped++;
        dataset->skipped_of[clip->part]++;
        dv__clip_free(clip);
    }
    dataset->count = kept;
}

/* One warning for each kind of remark, with the number of clips. */
static void log_remarks(const dv_dataset *dataset, const outcome *outcomes, const dv_log *log)
{
    for (int remark = 0; remark < DV_AUDIO_REMARK_COUNT; remark++) {
        size_t count = 0, first = 0;
        for (size_t i = dataset->count; i-- > 0;) {
            if ((outcomes[i].remarks >> remark & 1) == 0)
                continue;
            count++;
            first = i;
        }
        if (count > 0)
            dv__log(log, DV_LOG_WARNING, "%zu clip%s, the first %s: %s", count,
                    count > 1 ? "s" : "", dataset->clips[first].path,
                    dv_audio_remark_text((dv_audio_remark)remark));
    }
}

/* What comes of the clips that were tried: warnings and gaps, or the end. */
static dv_status conclude(dv_dataset *dataset, const outcome *outcomes, const dv_log *log)
{
    size_t total = dataset->count;
    for (size_t i = 0; i < total; i++) {
        if (outcomes[i].status == DV_ENOMEM)
            return DV_FAIL(DV_ENOMEM, "out of memory while reading %zu clips", total);
        if (outcomes[i].status == DV_ESYSTEM) /* it says nothing of the clip */
            return DV_FAIL(DV_ESYSTEM, "%s", outcomes[i].problem);
    }
    log_remarks(dataset, outcomes, log);
    leave_out(dataset, outcomes, log);
    if (dataset->count == 0)
        return DV_FAIL(DV_EFORMAT, "none of the %zu clips can be read; the first: %s", total,
                       total > 0 ? outcomes[0].problem : "there is none");
    return DV_OK;
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
    outcome *outcomes; /* (total) */
    size_t total = dataset->count;
    DV_TRY(dv__calloc(total, sizeof *outcomes, &outcomes));

    int threads = dv_threads_reserve(omp_get_max_threads(), log);
#pragma omp parallel for schedule(dynamic, 8) num_threads(threads)
    for (size_t i = 0; i < total; i++) {
        if (mix == NULL || dataset->clips[i].noise != NULL)
            outcomes[i].status = load_clip(&how, &dataset->clips[i], &outcomes[i]);
    }
    dv_status status = conclude(dataset, outcomes, log);
    for (size_t i = 0; i < total; i++)
        free(outcomes[i].problem);
    free(outcomes);
    return status;
}
