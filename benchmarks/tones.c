/* Makes the tones and writes them as WAV files, with hard links beyond the first 100. */
#include "benchmarks/tones.h"

#include "benchmarks/bench.h"
#include "engine/base/rng.h"
#include "frontends/audio/audio.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(dv_audio *audio, int label, int take)
{
    static const double pi = 3.141592653589793;
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST, .step = (uint64_t)(label * TONES_TAKES + take)};
    double pitch = 300 * pow(1.25, label) * (1 + 0.005 * take);
    for (int64_t i = 0; i < audio->count; i++) {
        double time = (double)i / (double)audio->sample_rate;
        double swell = sin(pi * (double)i / (double)audio->count);
        audio->samples[i] = (float)(0.5 * swell * sin(2 * pi * pitch * time) +
                                    0.01 * dv_rng_normal(&rng, (uint32_t)i));
    }
}

static dv_status name_file(const char *folder, int64_t number, char path[BENCH_PATH_SIZE])
{
    return bench_format(path, BENCH_PATH_SIZE, "%s/%d_tone_%lld.wav", folder,
                        (int)(number % TONES_LABELS), (long long)(number / TONES_LABELS));
}

static dv_status link_file(const char *folder, int64_t number)
{
    char from[BENCH_PATH_SIZE], to[BENCH_PATH_SIZE];
    DV_TRY(name_file(folder, number % (TONES_LABELS * TONES_TAKES), from));
    DV_TRY(name_file(folder, number, to));
    if (link(from, to) != 0 && errno != EEXIST)
        return DV_FAIL(DV_EIO, "%s: %s", to, strerror(errno));
    return DV_OK;
}

static dv_status write_files(const char *folder, int64_t count, dv_audio *audio)
{
    for (int i = 0; i < TONES_LABELS * TONES_TAKES && i < count; i++) {
        char path[BENCH_PATH_SIZE];
        DV_TRY(name_file(folder, i, path));
        fill(audio, i % TONES_LABELS, i / TONES_LABELS);
        DV_TRY(dv_audio_write_wav(path, audio));
    }
    for (int64_t i = TONES_LABELS * TONES_TAKES; i < count; i++)
        DV_TRY(link_file(folder, i));
    return DV_OK;
}

dv_status tones_write(const char *folder, int64_t sample_rate, double seconds, int64_t count)
{
    dv_audio audio = {.count = (int64_t)(seconds * (double)sample_rate),
                      .sample_rate = sample_rate};
    DV_TRY(dv_calloc((size_t)audio.count, sizeof *audio.samples, &audio.samples));
    dv_status status = write_files(folder, count, &audio);
    free(audio.samples);
    return status;
}
