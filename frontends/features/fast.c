/* The fast form: float, DV__LANES frames at a time, no allocation. */
#include "frontends/features/internal.h"

#include <string.h>

enum { ALIGN_FLOATS = 16 }; /* 64 bytes */

/* The parts of the scratch memory, in floats from its start. */
typedef struct layout {
    int64_t padded, padded_size; /* the window with zeros around it */
    int64_t first, second;       /* work buffers of the transform */
    int64_t bands;               /* mfcc: mel decibels (n_mels, frames) */
    int64_t total;
} layout;

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static layout layout_of(const dv_frontend *frontend)
{
    const dv_features_config *config = &frontend->config;
    int64_t frames = round_up(frontend->frames, DV__LANES);
    int64_t bands = config->type == DV_MFCC ? config->n_mels * frontend->frames : 0;
    int64_t end = config->n_fft / 2 + frontend->samples;
    layout parts = {0};
    /* The lanes past the last frame are transformed too, so their samples must exist. */
    parts.padded_size = (frames - 1) * config->hop + config->n_fft;
    if (parts.padded_size < end)
        parts.padded_size = end;
    parts.first = round_up(parts.padded_size, ALIGN_FLOATS);
    parts.second = parts.first + dv__fft_buffer(&frontend->fft);
    parts.bands = parts.second + dv__fft_buffer(&frontend->fft);
    parts.total = parts.bands + round_up(bands, ALIGN_FLOATS);
    return parts;
}

size_t dv_frontend_scratch(const dv_frontend *frontend)
{
    return (size_t)layout_of(frontend).total * sizeof(float);
}

/*
 * 10 log10(max(power, 1e-10)) for a finite power. The mantissa m is brought to [0.707, 1.414) and
 * ln m = 2 artanh(s), s = (m - 1) / (m + 1), as a series in s to the ninth power: |s| < 0.172, so
 * the rest is below 1e-9 and the result is right to the rounding of float, about 1e-5 dB at 100 dB.
 */
static inline float decibel(float power)
{
    union {
        float value;
        int32_t bits;
    } number = {power > 1e-10F ? power : 1e-10F};
    int32_t exponent = (number.bits - 0x3F3504F3) >> 23;
    number.bits -= exponent * (1 << 23);
    float s = (number.value - 1.0F) / (number.value + 1.0F);
    float t = s * s;
    float series = 1.0F + t * (1.0F / 3 + t * (1.0F / 5 + t * (1.0F / 7 + t * (1.0F / 9))));
    return (float)exponent * 3.01029995664F + 8.68588963807F * s * series;
}

/* Windowed frames, even samples (n_fft / 2, lanes) and then odd ones. `samples` is the first
   lane's frame. */
DV__CLONES
static void load_frames(const dv_frontend *frontend, const float *restrict samples,
                        float *restrict even)
{
    int64_t half = frontend->config.n_fft / 2;
    int64_t hop = frontend->config.hop;
    int64_t before = (frontend->config.n_fft - frontend->config.window) / 2;
    int64_t first = before / 2;
    int64_t last = (before + frontend->config.window + 1) / 2;
    float *restrict odd = even + half * DV__LANES;
    memset(even, 0, (size_t)(first * DV__LANES) * sizeof(float));
    memset(odd, 0, (size_t)(first * DV__LANES) * sizeof(float));
    for (int64_t row = first; row < last; row++) {
        float even_weight = frontend->window[2 * row], odd_weight = frontend->window[2 * row + 1];
        const float *restrict from = samples + 2 * row;
#pragma omp simd
        for (int64_t lane = 0; lane < DV__LANES; lane++) {
            even[row * DV__LANES + lane] = from[lane * hop] * even_weight;
            odd[row * DV__LANES + lane] = from[lane * hop + 1] * odd_weight;
        }
    }
    memset(even + last * DV__LANES, 0, (size_t)((half - last) * DV__LANES) * sizeof(float));
    memset(odd + last * DV__LANES, 0, (size_t)((half - last) * DV__LANES) * sizeof(float));
}

/* power (rows, lanes) -> decibels, the first `count` lanes to a matrix with rows of `stride`. */
DV__CLONES
static void store_decibels(const float *restrict power, int64_t rows, int64_t count, int64_t stride,
                           float *restrict to)
{
    for (int64_t row = 0; row < rows; row++) {
        float values[DV__LANES];
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++)
            values[lane] = decibel(power[row * DV__LANES + lane]);
        memcpy(to + row * stride, values, (size_t)count * sizeof(float));
    }
}

/* from (bins, lanes) -> to (bins, lanes) */
DV__CLONES
static void change_power(const dv_spectral_change *change, int64_t bins, const float *restrict from,
                         float *restrict to)
{
    for (int64_t bin = 0; bin < bins; bin++) {
        float position = change->positions != NULL ? change->positions[bin] : (float)bin;
        float gain = change->gains != NULL ? change->gains[bin] : 1.0F;
        int64_t below = (int64_t)position;
        below = below < bins - 2 ? below : bins - 2;
        float part = position - (float)below;
        const float *restrict low = from + below * DV__LANES, *restrict high = low + DV__LANES;
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++)
            to[bin * DV__LANES + lane] = gain * (low[lane] + part * (high[lane] - low[lane]));
    }
}

/* power (bins, lanes) -> bands (bands, lanes). */
DV__CLONES
static void apply_mel(const dv__mel *mel, const float *restrict power, float *restrict bands)
{
    for (int64_t band = 0; band < mel->bands; band++) {
        const float *restrict weights = mel->weights + mel->start[band];
        const float *restrict from = power + mel->first[band] * DV__LANES;
        int64_t bins = mel->start[band + 1] - mel->start[band];
        float sums[DV__LANES] = {0};
        for (int64_t bin = 0; bin < bins; bin++) {
            float weight = weights[bin];
#pragma omp simd
            for (int lane = 0; lane < DV__LANES; lane++)
                sums[lane] += weight * from[bin * DV__LANES + lane];
        }
        memcpy(bands + band * DV__LANES, sums, sizeof sums);
    }
}

/* Raises all values to at least the maximum less `top_db`. */
DV__CLONES
static void limit_range(float *restrict values, int64_t count, float top_db)
{
    float maximum = values[0];
#pragma omp simd reduction(max : maximum)
    for (int64_t i = 0; i < count; i++)
        maximum = values[i] > maximum ? values[i] : maximum;
    float least = maximum - top_db;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] = values[i] > least ? values[i] : least;
}

/* bands (n_mels, frames) -> features (n_mfcc, frames), DV__LANES frames at a time. */
DV__CLONES
static void apply_dct(const dv_frontend *frontend, const float *restrict bands,
                      float *restrict features)
{
    int64_t n_mels = frontend->config.n_mels;
    int64_t frames = frontend->frames;
    for (int64_t row = 0; row < frontend->rows; row++) {
        const float *restrict weights = frontend->dct + row * n_mels;
        float *restrict to = features + row * frames;
        for (int64_t first = 0; first < frames; first += DV__LANES) {
            int64_t count = frames - first < DV__LANES ? frames - first : DV__LANES;
            float sums[DV__LANES] = {0};
            for (int64_t band = 0; band < n_mels; band++) {
                const float *restrict from = bands + band * frames + first;
                if (count == DV__LANES)
#pragma omp simd
                    for (int lane = 0; lane < DV__LANES; lane++)
                        sums[lane] += weights[band] * from[lane];
                else
                    for (int64_t lane = 0; lane < count; lane++)
                        sums[lane] += weights[band] * from[lane];
            }
            memcpy(to + first, sums, (size_t)count * sizeof(float));
        }
    }
}

/* Decibels of all frames: of the mel bands, or of the whole spectrum; to (rows, frames). */
static void decibels(const dv_frontend *frontend, const layout *parts,
                     const dv_spectral_change *change, float *scratch, float *to)
{
    float *input = scratch + parts->first;
    float *other = scratch + parts->second;
    for (int64_t first = 0; first < frontend->frames; first += DV__LANES) {
        int64_t left = frontend->frames - first;
        int64_t count = left < DV__LANES ? left : DV__LANES;
        int64_t rows = frontend->bins;
        load_frames(frontend, scratch + parts->padded + first * frontend->config.hop, input);
        const float *power = dv__fft_power(&frontend->fft, input, other);
        if (change != NULL && (change->gains != NULL || change->positions != NULL)) {
            float *changed = power == input ? other : input;
            change_power(change, frontend->bins, power, changed);
            power = changed;
        }
        if (frontend->config.type != DV_SPECTROGRAM) {
            float *bands = power == input ? other : input;
            rows = frontend->mel.bands;
            apply_mel(&frontend->mel, power, bands);
            power = bands;
        }
        store_decibels(power, rows, count, frontend->frames, to + first);
    }
}

void dv_frontend_compute(const dv_frontend *frontend, const float *window, float *features,
                         void *scratch)
{
    dv_frontend_compute_changed(frontend, window, NULL, features, scratch);
}

void dv_frontend_compute_changed(const dv_frontend *frontend, const float *window,
                                 const dv_spectral_change *change, float *features, void *scratch)
{
    const dv_features_config *config = &frontend->config;
    layout parts = layout_of(frontend);
    float *work = scratch;
    float *padded = work + parts.padded;
    int64_t before = config->n_fft / 2;
    int64_t after = before + frontend->samples;
    memset(padded, 0, (size_t)before * sizeof(float));
    memcpy(padded + before, window, (size_t)frontend->samples * sizeof(float));
    memset(padded + after, 0, (size_t)(parts.padded_size - after) * sizeof(float));

    float *log_power = config->type == DV_MFCC ? work + parts.bands : features;
    int64_t rows = config->type == DV_MFCC ? config->n_mels : frontend->rows;
    decibels(frontend, &parts, change, work, log_power);
    if (config->top_db > 0)
        limit_range(log_power, rows * frontend->frames, (float)config->top_db);
    if (config->type == DV_MFCC)
        apply_dct(frontend, log_power, features);
    dv__features_normalize(config, frontend->rows, frontend->frames, features);
}
