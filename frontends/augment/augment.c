/* The fields of the section `augment`, the making of an augmenter, its draws, and the changes to
   finished features: masks and mixup. */
#include "frontends/augment/augment_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define INT(member, fallback, minimum, maximum, help) \
    DV_INT(dv_augment_config, member, fallback, minimum, maximum, help)
#define FLOAT(member, fallback, minimum, maximum, help) \
    DV_FLOAT(dv_augment_config, member, fallback, minimum, maximum, help)

const dv_field dv_augment_fields[] = {
    FLOAT(shift, "0.1", 0, 10, "largest random shift in time, s, either way"),
    FLOAT(gain, "6", 0, 60, "largest random change of level, dB, either way"),
    FLOAT(speed, "1", 1, 2, "largest random factor of speed and pitch, either way; 1 changes nothing"),
    FLOAT(noise, "0", 0, 1, "probability of noise"),
    DV_PAIR(dv_augment_config, noise_snr, "5,35", -60, 100,
            "least and most distance of the noise below the clip's RMS, dB"),
    FLOAT(noise_within, "0", 0, 1, "share of the noises that sound within the clip only"),
    DV_PATH(dv_augment_config, noise_path, "",
              "files and folders of recorded noises (comma-separated)"),
    INT(noise_colors, "5", 0, 64, "number of generated noises, with spectra 1/f^a, a from 0 (white) to 2"),
    FLOAT(reverberation, "0", 0, 1, "probability of the reverberation of a small room"),
    DV_PAIR(dv_augment_config, reverberation_time, "100,400", 10, 1000,
            "least and most time until a room's reverberation has fallen by 60 dB, ms"),
    FLOAT(clipping, "0", 0, 1, "probability that loud samples are cut off"),
    DV_PAIR(dv_augment_config, clipping_level, "0,12", -60, 100,
            "least and most level above the clip's RMS at which samples are cut off, dB"),
    FLOAT(gap, "0", 0, 1, "probability that a stretch is missing, as on a bad line"),
    DV_PAIR(dv_augment_config, gap_time, "20,80", 1, 10000, "least and most length of such a stretch, ms"),
    FLOAT(telephone, "0", 0, 1, "probability of a telephone's band, 300 to 3400 Hz"),
    FLOAT(equalizer, "0", 0, 20, "standard deviation of the 7 knots of a random equaliser, dB"),
    FLOAT(warp, "1", 1, 1.5, "largest random factor of frequencies (vocal tract); 1 changes nothing"),
    INT(frequency_masks, "0", 0, DV_MASKS, "number of random masks of the features' rows"),
    INT(frequency_width, "6", 1, 16384, "largest width of such a mask, rows"),
    INT(time_masks, "0", 0, DV_MASKS, "number of random masks of frames"),
    INT(time_width, "5", 1, 65536, "largest width of such a mask, frames"),
    FLOAT(mixup, "0", 0, 100, "parameter a of the distribution Beta(a, a) by which pairs of clips are mixed; 0 mixes none"),
    DV_END,
};
/* clang-format on */

static const double decibels_of_two = 6.020599913279624; /* 20 log10 2 */

/* ---- Making ---- */

static dv_status check_range(const char *name, const int64_t range[2])
{
    if (range[0] > range[1])
        return DV_FAIL(
            DV_ECONFIG,
            "augment: %s is [%lld, %lld], must be [least, most], the smaller number first", name,
            (long long)range[0], (long long)range[1]);
    return DV_OK;
}

static dv_status check(const dv_augment_config *config)
{
    DV_TRY(check_range("noise_snr", config->noise_snr));
    DV_TRY(check_range("reverberation_time", config->reverberation_time));
    DV_TRY(check_range("clipping_level", config->clipping_level));
    DV_TRY(check_range("gap_time", config->gap_time));
    if (config->noise > 0 && config->noise_path[0] == '\0' && config->noise_colors == 0)
        return DV_FAIL(DV_ECONFIG,
                       "augment: noise is %g, but there is no noise: set noise_path to sounds, or "
                       "noise_colors above 0",
                       config->noise);
    return DV_OK;
}

static int64_t samples_of(int64_t milliseconds, int64_t sample_rate)
{
    int64_t samples = milliseconds * sample_rate / 1000;
    return samples < 2 ? 2 : samples;
}

static double middle_of(const int64_t decibels[2])
{
    return 0.5 * (double)(decibels[0] + decibels[1]);
}

/* The distance of the ends of a range from its middle, in powers of two. */
static float half_range(const int64_t decibels[2])
{
    return (float)(0.5 * (double)(decibels[1] - decibels[0]) / decibels_of_two);
}

/* Converts the configuration to the units of the draws: times to samples, levels to factors, and
   ranges to powers of two. */
static void set_limits(const dv_augment_config *config, int64_t rate, dv_augment_limits *limits)
{
    *limits = (dv_augment_limits){
        .max_shift = (int64_t)(config->shift * (double)rate + 0.5),
        .max_gain = (float)(config->gain / decibels_of_two),
        .max_speed = (float)log2(config->speed),
        .max_warp = (float)log2(config->warp),
        .most_step = (int64_t)(config->speed * 4294967296.0),
        .noise = (float)config->noise,
        .noise_within = (float)config->noise_within,
        .reverberation = (float)config->reverberation,
        .telephone = (float)config->telephone,
        .noise_level = (float)pow(10.0, -middle_of(config->noise_snr) / 20),
        .noise_range = half_range(config->noise_snr),
        .clipping = (float)config->clipping,
        .clipping_level = (float)pow(10.0, middle_of(config->clipping_level) / 20),
        .clipping_range = half_range(config->clipping_level),
        .gap = (float)config->gap,
        .least_gap = samples_of(config->gap_time[0], rate),
        .most_gap = samples_of(config->gap_time[1], rate),
        .least_decay = samples_of(config->reverberation_time[0], rate),
        .most_decay = samples_of(config->reverberation_time[1], rate),
        .equalizer = (float)(2 * config->equalizer / decibels_of_two), /* powers of two of power */
        .frequency_masks = (int32_t)config->frequency_masks,
        .frequency_width = (int32_t)config->frequency_width,
        .time_masks = (int32_t)config->time_masks,
        .time_width = (int32_t)config->time_width,
    };
}

static dv_status make_resampler(double most, dv_augmenter *augmenter)
{
    size_t count = (size_t)DV_RESAMPLE_FILTERS * DV_RESAMPLE_PHASES * DV_RESAMPLE_TAPS;
    DV_TRY(dv_calloc(count, sizeof(float), &augmenter->resampler));
    dv__augment_resampler(most, augmenter->resampler);
    augmenter->tables.resampler = augmenter->resampler;
    return DV_OK;
}

static dv_status make_tables(const dv_augment_config *config, int64_t rate, dv_augmenter *augmenter)
{
    dv_augment_tables *tables = &augmenter->tables;
    if (config->noise > 0)
        DV_TRY(dv__augment_noises(config, rate, augmenter));
    if (tables->limits.max_speed > 0)
        DV_TRY(make_resampler(config->speed, augmenter));
    if (config->telephone > 0) {
        DV_TRY(dv_calloc((size_t)augmenter->bins, sizeof(float), &augmenter->telephone));
        dv__augment_telephone(augmenter->bins, rate, augmenter->telephone);
        tables->telephone = augmenter->telephone;
    }
    if (config->mixup > 0) {
        DV_TRY(dv_calloc(DV_MIX_POINTS + 1, sizeof(float), &augmenter->mixing));
        dv__augment_mixing(config->mixup, augmenter->mixing);
        tables->mixing = augmenter->mixing;
    }
    return DV_OK;
}

/* Only the tables that the configuration needs are made. Reflections reach back to -30 dB, so the
   history is half of the time to -60 dB. */
dv_status dv_augmenter_create(const dv_augment_config *config, const dv_frontend *frontend,
                              dv_augmenter **out)
{
    dv_augmenter *augmenter;
    const dv_features_config *features = dv_frontend_config(frontend);
    *out = NULL;
    DV_TRY(check(config));
    DV_TRY(dv_calloc(1, sizeof *augmenter, &augmenter));
    augmenter->sample_rate = features->sample_rate;
    augmenter->length = dv_frontend_samples(frontend);
    augmenter->bins = features->n_fft / 2 + 1;
    augmenter->rows = dv_frontend_rows(frontend);
    augmenter->frames = dv_frontend_frames(frontend);
    set_limits(config, features->sample_rate, &augmenter->tables.limits);
    if (config->reverberation > 0)
        augmenter->history = augmenter->tables.limits.most_decay / 2 + 1;
    dv_status status = make_tables(config, features->sample_rate, augmenter);
    if (status != DV_OK) {
        dv_augmenter_free(augmenter);
        return status;
    }
    *out = augmenter;
    return DV_OK;
}

void dv_augmenter_free(dv_augmenter *augmenter)
{
    if (augmenter == NULL)
        return;
    free(augmenter->noise_samples);
    free(augmenter->noise_factors);
    free(augmenter->noises);
    free(augmenter->resampler);
    free(augmenter->telephone);
    free(augmenter->mixing);
    free(augmenter);
}

const dv_augment_tables *dv_augmenter_tables(const dv_augmenter *augmenter)
{
    return &augmenter->tables;
}

/* ---- Draws ---- */

void dv__augment_words(const dv_rng *rng, uint32_t place, uint32_t block, uint32_t words[4])
{
    DV_ASSERT(place < DV_AUGMENT_PLACES);
    dv_rng_words(rng, place | block << DV_AUGMENT_PLACE_BITS, words);
}

void dv_augment_draw(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                     dv_augment_draws *out)
{
    uint32_t words[DV_AUGMENT_DRAWN_BLOCKS][4];
    for (uint32_t block = 0; block < DV_AUGMENT_DRAWN_BLOCKS; block++)
        dv__augment_words(rng, place, dv_augment_drawn_block(block), words[block]);
    dv_augment_make_draws(&augmenter->tables, augmenter->length, words, out);
}

static double decibels(double factor)
{
    return 20 * log10(factor);
}

/* DV_AUGMENT_TEXT_SIZE is enough for all parts of the text. */
__attribute__((format(printf, 2, 3))) static void append(char text[DV_AUGMENT_TEXT_SIZE],
                                                         const char *format, ...)
{
    size_t length = strlen(text);
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text + length, DV_AUGMENT_TEXT_SIZE - length, format, values);
    va_end(values);
}

/* The level of the noise is given by its RMS in the window against the clip's RMS. */
void dv_augment_describe(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         char text[DV_AUGMENT_TEXT_SIZE])
{
    const dv_augment_tables *tables = &augmenter->tables;
    double rate = (double)augmenter->sample_rate;
    text[0] = '\0';
    append(text, "shift %+.3f s, gain %+.1f dB", (double)draws->shift / rate,
           decibels((double)draws->gain));
    if (tables->limits.max_speed > 0)
        append(text, ", speed %.3f", (double)draws->step / 4294967296.0);
    if (draws->decay > 0)
        append(text, ", reverberation %.2f s", (double)draws->decay / rate);
    if (draws->noise > 0) {
        const float *noise = tables->noise.samples + draws->noise_at;
        float rms = dv_augment_rms(noise, augmenter->length);
        append(text, ", noise %.1f dB below", -decibels((double)(draws->noise * rms)));
    }
    if (draws->clipping > 0)
        append(text, ", clipping %.1f dB above", decibels((double)draws->clipping));
    if (draws->gap > 0)
        append(text, ", gap %.3f s at %.3f s", (double)draws->gap / rate,
               (double)draws->gap_at / rate);
    if (draws->telephone)
        append(text, ", telephone (not heard)");
}

/* ---- Features ---- */

static void mask_rows(float *features, int64_t frames, int64_t first, int64_t width)
{
    for (int64_t i = first * frames; i < (first + width) * frames; i++)
        features[i] = 0;
}

static void mask_frames(float *features, int64_t rows, int64_t frames, int64_t first, int64_t width)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t frame = first; frame < first + width; frame++)
            features[row * frames + frame] = 0;
}

/* A block of random words serves two masks, with two words for each. The masks of rows come before
   those of frames. */
void dv_augment_mask_features(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                              float *features)
{
    const dv_augment_limits *limits = &augmenter->tables.limits;
    int64_t rows = augmenter->rows, frames = augmenter->frames;
    for (int mask = 0; mask < 2 * DV_MASKS; mask++) {
        bool of_rows = mask < DV_MASKS;
        int wanted = of_rows ? limits->frequency_masks : limits->time_masks;
        if (mask % DV_MASKS >= wanted)
            continue;
        uint32_t words[4];
        int32_t first;
        dv__augment_words(rng, place, (uint32_t)(DV_AUGMENT_MASK_BLOCK + mask / 2), words);
        const uint32_t *pair = words + 2 * (mask % 2);
        int32_t most = of_rows ? limits->frequency_width : limits->time_width;
        int32_t width =
            dv_augment_mask(pair[0], pair[1], most, (int32_t)(of_rows ? rows : frames), &first);
        if (of_rows)
            mask_rows(features, frames, first, width);
        else
            mask_frames(features, rows, frames, first, width);
    }
}

static float share_of(const dv_augmenter *augmenter, const dv_rng *rng, int64_t place)
{
    uint32_t words[4];
    dv__augment_words(rng, (uint32_t)place, DV_AUGMENT_SHARE_BLOCK, words);
    return dv_augment_share(words[3], augmenter->tables.mixing);
}

void dv_augment_mix(const dv_augmenter *augmenter, const dv_rng *rng, int64_t count, int64_t size,
                    float *values)
{
    if (augmenter->tables.mixing == NULL)
        return;
    for (int64_t place = 0; place + 1 < count; place += 2) {
        float share[2] = {share_of(augmenter, rng, place), share_of(augmenter, rng, place + 1)};
        float *first = values + place * size, *second = first + size;
        for (int64_t i = 0; i < size; i++) {
            float a = first[i], b = second[i];
            first[i] = share[0] * a + (1.0F - share[0]) * b;
            second[i] = share[1] * b + (1.0F - share[1]) * a;
        }
    }
}
