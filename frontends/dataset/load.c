/* Reads and prepares the sounds of the clips in parallel. A clip that has been given a noise gets
   it here. */
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/device/threads.h"
#include "frontends/dataset/dataset_internal.h"

#include <omp.h>
#include <stdlib.h>

static uint64_t key_of(const dv_dataset *dataset, const dv_clip *clip)
{
    uint64_t key = dv_noise_key(dataset->labels[clip->label], clip->path);
    return clip->length > 0 ? dv__hash_stretch(key, clip) : key;
}

dv_status dv_dataset_give_noises(dv_dataset *dataset, const int64_t *indices, int64_t count,
                                 const dv_noise_files *noises, uint64_t seed)
{
    dv_status status;
    uint64_t *keys = NULL;
    size_t *which = NULL;
    DV_TRY_GOTO(dv_calloc((size_t)count, sizeof *keys, &keys));
    DV_TRY_GOTO(dv_calloc((size_t)count, sizeof *which, &which));
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

/* The result of loading one clip. */
typedef struct outcome {
    dv_status status;
    char *problem; /* why there is no sound, owned; NULL if there is one */
} outcome;

uint64_t dv__content_of(const char *path)
{
    char digest[DV_SHA256_SIZE];
    return dv_sha256_file(path, digest) == DV_OK ? dv_hash(DV_HASH_EMPTY, digest) : 0;
}

/* Prepares the sound and puts it into the clip. */
static void keep_sound(const dv_dataset *dataset, const dv__loading *how, dv_clip *clip,
                       const dv_audio *audio)
{
    if (how->mix != NULL)
        dv_noise_add(clip->noise, how->mix->seed, key_of(dataset, clip), how->mix->snr,
                     audio->samples, audio->count);
    free(clip->samples);
    clip->samples = audio->samples;
    clip->count = audio->count;
    clip->center = dv_frontend_prepare(how->frontend, clip->samples, clip->count);
}

static dv_status read_clip(const dv__loading *how, const dv_clip *clip, dv_resampler *resampler,
                           dv_audio *audio)
{
    if (clip->length > 0)
        return dv_audio_read_stretch(clip->path, how->sample_rate, clip->start, clip->length,
                                     resampler, audio);
    return dv_audio_read(clip->path, how->sample_rate, how->max_seconds, resampler, audio);
}

/* Reads one clip. */
static dv_status load_clip(const dv_dataset *dataset, const dv__loading *how,
                           dv_resampler *resampler, dv_clip *clip, outcome *out)
{
    dv_audio audio;
    dv_status status = read_clip(how, clip, resampler, &audio);
    if (status != DV_OK) {
        dv_status copied = dv_strdup(dv_error_message(), &out->problem);
        return copied != DV_OK ? copied : status;
    }
    clip->sound = audio.facts;
    if (how->contents && clip->length == 0)
        clip->content = dv__content_of(clip->path);
    if (how->frontend != NULL)
        keep_sound(dataset, how, clip, &audio);
    else
        dv_audio_free(&audio);
    return DV_OK;
}

/* Removes the clips with a problem, in order, and keeps the problems. */
static dv_status leave_out(dv_dataset *dataset, outcome *outcomes)
{
    size_t kept = 0, left = 0;
    for (size_t i = 0; i < dataset->count; i++)
        left += outcomes[i].problem != NULL;
    if (left == 0)
        return DV_OK;
    char **larger =
        realloc(dataset->problems, (dataset->skipped + left) * sizeof *dataset->problems);
    if (larger == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the list of %zu clips that are left out", left);
    dataset->problems = larger;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (outcomes[i].problem == NULL) {
            dataset->clips[kept++] = *clip;
            continue;
        }
        dataset->problems[dataset->skipped++] = outcomes[i].problem;
        outcomes[i].problem = NULL;
        dataset->skipped_of[clip->part]++;
        dv__clip_free(clip);
    }
    dataset->count = kept;
    return DV_OK;
}

size_t dv__remarked(const dv_dataset *dataset, dv_audio_remark remark, const dv_clip **first)
{
    size_t count = 0;
    for (size_t i = dataset->count; i-- > 0;) {
        if ((dataset->clips[i].sound.remarks >> remark & 1) == 0)
            continue;
        count++;
        *first = &dataset->clips[i];
    }
    return count;
}

/* One warning for each kind of remark, with the number of clips. */
static void log_remarks(const dv_dataset *dataset, const dv_log *log)
{
    for (int remark = 0; remark < DV_AUDIO_REMARK_COUNT; remark++) {
        const dv_clip *first = NULL;
        size_t count = dv__remarked(dataset, (dv_audio_remark)remark, &first);
        if (count > 0)
            dv_log_write(log, DV_LOG_WARNING, DV__REMARK_FORMAT, count, dv_plural(count),
                         first->path, dv_audio_remark_text((dv_audio_remark)remark));
    }
}

void dv__log_problems(const dv_dataset *dataset, size_t from, const dv_log *log)
{
    for (size_t i = from; i < dataset->skipped; i++)
        dv_log_write(log, DV_LOG_WARNING, "a clip is left out: %s", dataset->problems[i]);
}

/* Leaves out the clips that cannot be read, or fails. */
static dv_status conclude(dv_dataset *dataset, outcome *outcomes)
{
    size_t total = dataset->count, before = dataset->skipped;
    for (size_t i = 0; i < total; i++) {
        if (outcomes[i].status == DV_ENOMEM)
            return DV_FAIL(DV_ENOMEM, "out of memory while reading %zu clips", total);
        if (outcomes[i].status == DV_ESYSTEM) /* not the clip's fault */
            return DV_FAIL(DV_ESYSTEM, "%s", outcomes[i].problem);
    }
    DV_TRY(leave_out(dataset, outcomes));
    if (dataset->count == 0)
        return DV_FAIL(DV_EFORMAT, "none of the %zu clips can be read; the first: %s", total,
                       total > 0 ? dataset->problems[before] : "there is none");
    return DV_OK;
}

/* Each thread resamples with one resampler for all of its clips. */
dv_status dv__load(dv_dataset *dataset, const dv__loading *how, const dv_log *log)
{
    outcome *outcomes; /* (total) */
    size_t total = dataset->count;
    DV_TRY(dv_calloc(total, sizeof *outcomes, &outcomes));

    int threads = dv_threads_reserve(omp_get_max_threads(), log);
#pragma omp parallel num_threads(threads)
    {
        /* Without memory for it, each clip that needs a resampler fails with a message. */
        dv_resampler *resampler;
        (void)dv_resampler_create(how->sample_rate, &resampler);
#pragma omp for schedule(dynamic, 8)
        for (size_t i = 0; i < total; i++) {
            dv_clip *clip = &dataset->clips[i];
            if (how->mix == NULL || clip->noise != NULL)
                outcomes[i].status = load_clip(dataset, how, resampler, clip, &outcomes[i]);
        }
        dv_resampler_free(resampler);
    }
    dv_status status = conclude(dataset, outcomes);
    for (size_t i = 0; i < total; i++)
        free(outcomes[i].problem);
    free(outcomes);
    return status;
}

dv_status dv_dataset_load(dv_dataset *dataset, const dv_frontend *frontend, double max_seconds,
                          const dv_log *log)
{
    return dv_dataset_load_noisy(dataset, frontend, max_seconds, NULL, log);
}

dv_status dv_dataset_load_noisy(dv_dataset *dataset, const dv_frontend *frontend,
                                double max_seconds, const dv_noise_mix *mix, const dv_log *log)
{
    const dv__loading how = {.sample_rate = dv_frontend_config(frontend)->sample_rate,
                             .max_seconds = max_seconds,
                             .frontend = frontend,
                             .mix = mix};
    size_t before = dataset->skipped;
    for (size_t i = 0; mix == NULL && i < dataset->note_count; i++)
        dv_log_write(log, DV_LOG_WARNING, "%s", dataset->notes[i]);
    dv_status status = dv__load(dataset, &how, log);
    dv__log_problems(dataset, before, log);
    if (status == DV_OK)
        log_remarks(dataset, log);
    return status;
}
