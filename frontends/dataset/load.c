#include "frontends/audio.h"
#include "frontends/dataset/dataset.h"

#include <stdlib.h>

/* Reads and prepares one clip; *problem says why that failed, owned by the caller. */
static dv_status load_clip(const dv_frontend *frontend, double max_seconds, dv_clip *clip,
                           char **problem)
{
    dv_audio audio;
    int64_t sample_rate = dv_frontend_config(frontend)->sample_rate;
    dv_status status = dv_audio_read(clip->path, sample_rate, max_seconds, &audio);
    if (status != DV_OK) {
        dv_status copied = dv__strdup(dv_error_message(), problem);
        return copied != DV_OK ? copied : status;
    }
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
        free(clip->path);
        free(clip->speaker);
        free(clip->samples);
        dataset->skipped++;
    }
    dataset->count = kept;
}

dv_status dv_dataset_load(dv_dataset *dataset, const dv_frontend *frontend, double max_seconds,
                          const dv_log *log)
{
    char **problems; /* (count), NULL where the clip is good */
    size_t total = dataset->count;
    DV_TRY(dv__calloc(total, sizeof *problems, &problems));

    bool no_memory = false;
#pragma omp parallel for schedule(dynamic, 8) reduction(|| : no_memory)
    for (size_t i = 0; i < total; i++) {
        dv_status status = load_clip(frontend, max_seconds, &dataset->clips[i], &problems[i]);
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
