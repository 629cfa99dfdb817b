/* The bank of noises: recorded ones, and generated ones with spectra 1 / f^a. */
#include "frontends/augment/augment_internal.h"
#include "frontends/noise/noise.h"

#include <math.h>
#include <stdlib.h>

enum { GENERATED_SAMPLES = 1 << 17 /* at least: 16 s at 8 kHz */ };

static const double silence = 1e-6; /* a stretch with an RMS below this is silent */

typedef struct noise_builder {
    const dv_augmenter *augmenter; /* for the window's length */
    float *samples;
    dv_noise *noises;
    size_t sample_count, count, capacity;
} noise_builder;

/* Appends a noise. If it is shorter than a window it is repeated to the length of one. */
static dv_status append(noise_builder *bank, const char *name, const float *samples, int64_t count)
{
    int64_t length = bank->augmenter->length;
    int64_t total = count < length ? length : count;
    if (bank->sample_count + (size_t)total > DV_NOISE_MAX_SAMPLES)
        return DV_FAIL(DV_ECONFIG,
                       "augment: the noises have more than %d samples together, from %s on",
                       DV_NOISE_MAX_SAMPLES, name);
    DV_TRY(dv_grow(bank->count, sizeof *bank->noises, &bank->capacity, &bank->noises));
    float *grown = realloc(bank->samples, (bank->sample_count + (size_t)total) * sizeof *grown);
    if (grown == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %lld samples of noise", (long long)total);
    bank->samples = grown;
    for (int64_t i = 0; i < total; i++)
        grown[bank->sample_count + (size_t)i] = samples[i % count];
    bank->noises[bank->count++] = (dv_noise){.offset = (int64_t)bank->sample_count,
                                             .starts = (total - length) / DV_NOISE_STRIDE + 1};
    bank->sample_count += (size_t)total;
    return DV_OK;
}

/* ---- Recorded ---- */

static dv_status append_file(noise_builder *bank, const char *path, int64_t sample_rate)
{
    dv_audio audio;
    DV_TRY(dv_audio_read(path, sample_rate, DV_NOISE_MAX_SECONDS, NULL, &audio));
    double sum = 0;
    for (int64_t i = 0; i < audio.count; i++)
        sum += (double)audio.samples[i];
    for (int64_t i = 0; i < audio.count; i++)
        audio.samples[i] -= (float)(sum / (double)audio.count);
    dv_status status = append(bank, path, audio.samples, audio.count);
    dv_audio_free(&audio);
    return status;
}

static dv_status append_files(noise_builder *bank, const char *paths, int64_t sample_rate)
{
    char **files;
    size_t count;
    dv_status status = dv_noise_list(paths, &files, &count);
    if (status != DV_OK)
        return dv_fail_within(status, "augment: noise_path");
    for (size_t i = 0; status == DV_OK && i < count; i++)
        status = append_file(bank, files[i], sample_rate);
    dv_noise_unlist(files, count);
    return status;
}

/* ---- Generated ---- */

/*
 * Colours white noise, samples (count), to a slope of -a / 2. First-order filters do it, with poles
 * at 20 Hz, 40 Hz, 80 Hz, ... and a zero 2^(a / 2) above each, all as z = exp(-2 pi f / rate). For
 * a = 0 they cancel; for a = 2 each zero cancels the next pole.
 */
static void color(double a, int64_t sample_rate, float *samples, int64_t count)
{
    const double two_pi = 2 * acos(-1.0);
    for (double hz = 20; hz < (double)sample_rate; hz *= 2) {
        double pole = exp(-two_pi * hz / (double)sample_rate);
        double zero = exp(-two_pi * hz * exp2(a / 2) / (double)sample_rate);
        double before = 0, value = 0;
        for (int64_t i = 0; i < count; i++) {
            double in = (double)samples[i];
            value = in - zero * before + pole * value;
            before = in;
            samples[i] = (float)value;
        }
    }
}

static dv_status append_color(noise_builder *bank, int64_t number, int64_t colors,
                              int64_t sample_rate)
{
    float *samples;
    int64_t least = 2 * bank->augmenter->length;
    int64_t count = least > GENERATED_SAMPLES ? least : GENERATED_SAMPLES;
    dv_rng rng = {.seed = 1, .use = DV_RNG_NOISE, .step = (uint64_t)number};
    double a = colors > 1 ? 2.0 * (double)number / (double)(colors - 1) : 0;
    DV_TRY(dv_calloc((size_t)count, sizeof *samples, &samples));
    for (int64_t i = 0; i < count; i += 4) {
        uint32_t words[4];
        dv_rng_words(&rng, (uint32_t)(i / 4), words);
        for (int64_t k = 0; k < 4 && i + k < count; k++)
            samples[i + k] = dv_augment_normal(words[k]);
    }
    color(a, sample_rate, samples, count);
    dv_status status = append(bank, "a generated noise", samples, count);
    free(samples);
    return status;
}

/* ---- The bank ---- */

/* Computes 1 / RMS of each stretch. */
static void measure(const noise_builder *bank, float *factors)
{
    int64_t length = bank->augmenter->length;
    for (size_t i = 0; i < bank->count; i++) {
        const dv_noise *noise = &bank->noises[i];
        for (int64_t start = 0; start < noise->starts; start++) {
            const float *from = bank->samples + noise->offset + start * DV_NOISE_STRIDE;
            float rms = dv_augment_rms(from, length);
            factors[noise->first + start] = (double)rms < silence ? 0 : 1 / rms;
        }
    }
}

static dv_status collect(const dv_augment_config *config, int64_t sample_rate, noise_builder *bank)
{
    if (config->noise_path[0] != '\0')
        DV_TRY(append_files(bank, config->noise_path, sample_rate));
    for (int64_t i = 0; i < config->noise_colors; i++)
        DV_TRY(append_color(bank, i, config->noise_colors, sample_rate));
    return DV_OK;
}

/* Collects the noises, numbers the stretches of all of them in sequence, and measures each stretch.
   The augmenter owns the collected noises, also after a failure. */
dv_status dv__augment_noises(const dv_augment_config *config, int64_t sample_rate,
                             dv_augmenter *augmenter)
{
    noise_builder bank = {.augmenter = augmenter};
    dv_status status = collect(config, sample_rate, &bank);
    augmenter->noise_samples = bank.samples;
    augmenter->noises = bank.noises;
    DV_TRY(status);
    int64_t starts = 0;
    for (size_t i = 0; i < bank.count; i++) {
        bank.noises[i].first = starts;
        starts += bank.noises[i].starts;
    }
    DV_TRY(dv_calloc((size_t)starts, sizeof(float), &augmenter->noise_factors));
    measure(&bank, augmenter->noise_factors);
    augmenter->tables.noise = (dv_noise_bank){.samples = bank.samples,
                                              .factors = augmenter->noise_factors,
                                              .noises = bank.noises,
                                              .count = (int64_t)bank.count,
                                              .sample_count = (int64_t)bank.sample_count,
                                              .start_count = starts};
    return DV_OK;
}
