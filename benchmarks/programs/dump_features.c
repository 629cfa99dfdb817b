/*
 * Writes the features of sound files, as a session gives them to its network, to one safetensors
 * file: features (files, rows, frames).
 *
 *     decavox_bench dump_features CHECKPOINT OUT.safetensors FILE...
 */
#include "benchmarks/program.h"
#include "frontends/audio/audio.h"
#include "frontends/model/session.h"
#include "frontends/model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>

static dv_status compute(const dv_frontend *frontend, const char *path, float *features)
{
    float *window = NULL;
    void *scratch = NULL;
    dv_audio audio;
    dv_status status = dv_audio_read(path, dv_frontend_config(frontend)->sample_rate,
                                     DV_SESSION_MAX_SECONDS, NULL, &audio);
    if (status == DV_OK)
        status = dv_calloc((size_t)dv_frontend_samples(frontend), sizeof *window, &window);
    size_t bytes = (dv_frontend_scratch(frontend) + 63) / 64 * 64;
    if (status == DV_OK && (scratch = aligned_alloc(64, bytes)) == NULL)
        status = DV_FAIL(DV_ENOMEM, "%zu bytes", bytes);
    if (status == DV_OK) {
        int64_t center = dv_frontend_prepare(frontend, audio.samples, audio.count);
        dv_frontend_cut(frontend, audio.samples, audio.count, center, 0, 1, window);
        dv_frontend_compute(frontend, window, features, scratch);
    }
    free(window);
    free(scratch);
    dv_audio_free(&audio);
    return status;
}

static dv_status dump(const dv_frontend *frontend, char **paths, int64_t count, const char *out)
{
    int64_t rows = dv_frontend_rows(frontend), frames = dv_frontend_frames(frontend);
    float *features;
    DV_TRY(dv_calloc((size_t)(count * rows * frames), sizeof *features, &features));
    dv_status status = DV_OK;
    for (int64_t i = 0; status == DV_OK && i < count; i++)
        status = compute(frontend, paths[i], features + i * rows * frames);
    dv_safetensors_entry entry = {
        "features", DV_SAFETENSORS_F32, 3, {count, rows, frames}, features};
    if (status == DV_OK)
        status = dv_safetensors_write(out, NULL, 0, &entry, 1);
    free(features);
    return status;
}

int program_dump_features(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: decavox_bench dump_features CHECKPOINT OUT.safetensors FILE...\n");
        return 2;
    }
    dv_model *model;
    dv_status status = dv_model_open(argv[1], NULL, &model);
    if (status == DV_OK) {
        status = dump(dv_model_frontend(model), argv + 3, argc - 3, argv[2]);
        dv_model_close(model);
    }
    return program_end("dump_features", status);
}
