/* The fast form computes in float, DV__LANES frames at a time, and allocates nothing. */
#include "frontends/features/features_internal.h"

#include <stdbool.h>
#include <string.h>

enum { ALIGN_FLOATS = 16 }; /* 64 bytes */

/* The places of the parts in the scratch memory, in floats from its start. */
typedef struct layout {
    int64_t padded, padded_size; /* samples of all frames: the window with its edges */
    int64_t phases;              /* the same samples, (phases, pitch), see dv_frontend */
    int64_t work;                /* for the transform */
    int64_t power, other;        /* (larger of bins and levels, lanes) each, used in turn */
    int64_t bands;               /* for mfcc, mel decibels (blocks of frames, levels, lanes) */
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
    int64_t bands = frontend->dct != NULL ? frontend->levels * frames : 0;
    int64_t most = frontend->bins > frontend->levels ? frontend->bins : frontend->levels;
    int64_t end = frontend->lead + frontend->samples;
    layout parts = {0};
    /* The lanes past the last frame are transformed too, so their samples must exist. */
    parts.padded_size = (frontend->pitch - 1) * config->hop + frontend->phases;
    if (parts.padded_size < end)
        parts.padded_size = end;
    parts.phases = round_up(parts.padded_size, ALIGN_FLOATS);
    parts.work = parts.phases + round_up(frontend->phases * frontend->pitch, ALIGN_FLOATS);
    parts.power = parts.work + dv__fft_work(&frontend->fft);
    parts.other = parts.power + most * DV__LANES;
    parts.bands = parts.other + most * DV__LANES;
    parts.total = parts.bands + bands;
    return parts;
}

size_t dv_frontend_scratch(const dv_frontend *frontend)
{
    return (size_t)layout_of(frontend).total * sizeof(float);
}

/*
 * 10 log10(power) for a positive normal number. The mantissa m is brought to [0.707, 1.414). Then
 * ln m = 2 artanh(s) with s = (m - 1) / (m + 1) is a series in s to the ninth power. |s| < 0.172,
 * so the rest is below 1e-9 and the result is right to the rounding of float, about 1e-5 dB at
 * 100 dB.
 */
static inline float decibel(float power)
{
    union {
        float value;
        int32_t bits;
    } number = {power};
    int32_t exponent = (number.bits - 0x3F3504F3) >> 23;
    number.bits -= exponent * (1 << 23);
    float s = (number.value - 1.0F) / (number.value + 1.0F);
    float t = s * s;
    float series = 1.0F + t * (1.0F / 3 + t * (1.0F / 5 + t * (1.0F / 7 + t * (1.0F / 9))));
    return (float)exponent * 3.01029995664F + 8.68588963807F * s * series;
}

enum { HOPS = 4 }; /* hops that are split at a time */

/* Computes phases (phases, pitch) from padded; see dv_frontend. */
static void split_phases(const dv_frontend *frontend, const float *restrict padded,
                         float *restrict phases)
{
    const int64_t hop = frontend->config.hop, pitch = frontend->pitch;
    for (int64_t first = 0; first < pitch; first += HOPS)
        for (int64_t phase = 0; phase < frontend->phases; phase++) {
            const float *restrict from = padded + first * hop + phase;
            float *restrict to = phases + phase * pitch + first;
            to[0] = from[0];
            to[1] = from[hop];
            to[2] = from[2 * hop];
            to[3] = from[3 * hop];
        }
}

/* Computes the changed power `to` (bins, lanes) from `from` (bins, lanes). */
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

/* Computes bands (bands, lanes) from power (bins, lanes). */
DV__CLONES
static void apply_mel(const dv__mel *mel, const float *restrict power, float *restrict bands)
{
    for (int64_t band = 0; band < mel->bands; band++) {
        const float *restrict weights = mel->weights + mel->start[band];
        const float *restrict from = power + mel->first[band] * DV__LANES;
        const int64_t bins = mel->start[band + 1] - mel->start[band];
        float sums[DV__LANES] = {0};
        for (int64_t bin = 0; bin < bins; bin++) {
#pragma omp simd
            for (int lane = 0; lane < DV__LANES; lane++)
                sums[lane] += weights[bin] * from[bin * DV__LANES + lane];
        }
        memcpy(bands + band * DV__LANES, sums, sizeof sums);
    }
}

/* The memory for the decibels of a block of frames. */
typedef struct target {
    float *to;               /* (rows, stride) */
    int64_t rows, stride;    /* `stride` is in floats */
    int64_t count;           /* lanes that are stored */
    float maxima[DV__LANES]; /* maximum of each lane over the rows */
} target;

/* Stores the decibels of power (rows, lanes). */
DV__CLONES
static void store_decibels(const float *restrict power, target *out)
{
    float maxima[DV__LANES];
    for (int lane = 0; lane < DV__LANES; lane++)
        maxima[lane] = -100;
    for (int64_t row = 0; row < out->rows; row++) {
        float values[DV__LANES];
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            float value = power[row * DV__LANES + lane];
            values[lane] = value > 1e-10F ? value : 1e-10F;
        }
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            values[lane] = decibel(values[lane]);
            maxima[lane] = values[lane] > maxima[lane] ? values[lane] : maxima[lane];
        }
        if (out->count == DV__LANES)
            memcpy(out->to + row * out->stride, values, sizeof values);
        else
            memcpy(out->to + row * out->stride, values, (size_t)out->count * sizeof(float));
    }
    memcpy(out->maxima, maxima, sizeof maxima);
}

/* Raises all values to at least `least`. */
DV__CLONES
static void limit_range(float *restrict values, int64_t count, float least)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] = values[i] > least ? values[i] : least;
}

enum { DCT_ROWS = 4 }; /* rows that are computed at a time */

/* Computes rows `row` to row + 3 of the features, as far as they exist, from bands (levels,
   lanes). */
DV__CLONES
static void dct_rows(const dv_frontend *frontend, const float *restrict bands, int64_t row,
                     float (*restrict to)[DV__LANES])
{
    const int64_t levels = frontend->levels;
    const float *restrict weights[DCT_ROWS];
    for (int64_t k = 0; k < DCT_ROWS; k++) {
        int64_t nearest = row + k < frontend->rows ? row + k : frontend->rows - 1;
        weights[k] = frontend->dct + nearest * levels;
    }
    const float *restrict a = weights[0], *restrict b = weights[1];
    const float *restrict c = weights[2], *restrict d = weights[3];
    float sums[DCT_ROWS][DV__LANES] = {{0}};
    for (int64_t band = 0; band < levels; band++) {
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            float value = bands[band * DV__LANES + lane];
            sums[0][lane] += a[band] * value;
            sums[1][lane] += b[band] * value;
            sums[2][lane] += c[band] * value;
            sums[3][lane] += d[band] * value;
        }
    }
    memcpy(to, sums, sizeof sums);
}

/* Computes features (n_mfcc, frames) from bands (blocks of frames, levels, lanes). */
static void apply_dct(const dv_frontend *frontend, const float *bands, float *features)
{
    for (int64_t first = 0; first < frontend->frames; first += DV__LANES) {
        int64_t left = frontend->frames - first;
        size_t count = (size_t)(left < DV__LANES ? left : DV__LANES);
        for (int64_t row = 0; row < frontend->rows; row += DCT_ROWS) {
            float sums[DCT_ROWS][DV__LANES];
            dct_rows(frontend, bands + first * frontend->levels, row, sums);
            for (int64_t k = 0; k < DCT_ROWS && row + k < frontend->rows; k++)
                memcpy(features + (row + k) * frontend->frames + first, sums[k],
                       count * sizeof(float));
        }
    }
}

/* The power of the block of frames from `first` on, changed and in bands. It is in the scratch
   memory. */
static const float *block_power(const dv_frontend *frontend, const layout *parts, int64_t first,
                                const dv_spectral_change *change, float *scratch)
{
    float *power = scratch + parts->power, *other = scratch + parts->other;
    dv__frames frames = {scratch + parts->phases + first, frontend->offsets, frontend->weights};
    dv__fft_power(&frontend->fft, &frames, scratch + parts->work, power);
    if (change != NULL && (change->gains != NULL || change->positions != NULL)) {
        change_power(change, frontend->bins, power, other);
        float *unchanged = power;
        power = other;
        other = unchanged;
    }
    if (frontend->mel.bands == 0)
        return power;
    apply_mel(&frontend->mel, power, other);
    return other;
}

/* Computes the decibels of all frames, of the mel bands or of the whole spectrum. They are (blocks
   of frames, levels, lanes) for mfcc, else (rows, frames). Returns the largest one. */
static float decibels(const dv_frontend *frontend, const layout *parts,
                      const dv_spectral_change *change, float *scratch, float *to)
{
    const bool mfcc = frontend->dct != NULL;
    float maximum = -100;
    for (int64_t first = 0; first < frontend->frames; first += DV__LANES) {
        int64_t left = frontend->frames - first;
        int64_t count = left < DV__LANES ? left : DV__LANES;
        target out = {.to = mfcc ? to + first * frontend->levels : to + first,
                      .rows = frontend->levels,
                      .stride = mfcc ? DV__LANES : frontend->frames,
                      .count = mfcc ? DV__LANES : count};
        store_decibels(block_power(frontend, parts, first, change, scratch), &out);
        for (int64_t lane = 0; lane < count; lane++)
            maximum = out.maxima[lane] > maximum ? out.maxima[lane] : maximum;
    }
    return maximum;
}

/* Computes padded (size), from the first sample of frame 0 on, from window (samples). */
static void pad(const dv_frontend *frontend, const float *window, int64_t size, float *padded)
{
    int64_t lead = frontend->lead, samples = frontend->samples;
    int64_t from = lead > 0 ? lead : 0, to = lead + samples;
    memset(padded, 0, (size_t)from * sizeof *padded);
    memcpy(padded + from, window + (from - lead), (size_t)(to - from) * sizeof *padded);
    memset(padded + to, 0, (size_t)(size - to) * sizeof *padded);
    if (frontend->edges == DV_EDGES_ZEROS)
        return;
    for (int64_t i = 0; i < from; i++)
        padded[i] = window[dv_mirrored(i - lead, samples)];
    for (int64_t i = to; i < size; i++)
        padded[i] = window[dv_mirrored(i - lead, samples)];
}

void dv_frontend_compute(const dv_frontend *frontend, const float *window, float *features,
                         void *scratch)
{
    dv_frontend_compute_changed(frontend, window, NULL, features, scratch);
}

/* The decibels are written straight into the features. Only mfcc writes them to scratch, for its
   DCT. */
void dv_frontend_compute_changed(const dv_frontend *frontend, const float *window,
                                 const dv_spectral_change *change, float *features, void *scratch)
{
    const dv_features_config *config = &frontend->config;
    layout parts = layout_of(frontend);
    float *work = scratch;
    pad(frontend, window, parts.padded_size, work + parts.padded);
    split_phases(frontend, work + parts.padded, work + parts.phases);

    const bool mfcc = frontend->dct != NULL;
    float *log_power = mfcc ? work + parts.bands : features;
    float maximum = decibels(frontend, &parts, change, work, log_power);
    if (config->top_db > 0)
        limit_range(log_power, mfcc ? parts.total - parts.bands : frontend->rows * frontend->frames,
                    maximum - (float)config->top_db);
    if (mfcc)
        apply_dct(frontend, log_power, features);
    dv__features_normalize(config, frontend->rows, frontend->frames, features);
}
