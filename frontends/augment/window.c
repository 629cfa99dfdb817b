/* Makes the window of a clip with all changes of the sound. */
#include "frontends/augment/augment_internal.h"
#include "frontends/features/features_internal.h"

#include <math.h>
#include <string.h>

enum { ALIGN_FLOATS = 16, BEFORE = DV_RESAMPLE_TAPS / 2 - 1 /* taps before the sample */ };

/* Sizes of the parts of the scratch memory, in floats. */
static int64_t dry_size(const dv_augmenter *augmenter)
{
    int64_t size = augmenter->history + augmenter->length;
    return (size + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static int64_t bins_size(const dv_augmenter *augmenter)
{
    return (augmenter->bins + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

size_t dv_augment_scratch(const dv_augmenter *augmenter)
{
    return (size_t)(dry_size(augmenter) + 2 * bins_size(augmenter)) * sizeof(float);
}

DV__CLONES
static double energy_of(const float *samples, int64_t count)
{
    double energy = 0;
#pragma omp simd reduction(+ : energy)
    for (int64_t i = 0; i < count; i++)
        energy += (double)samples[i] * (double)samples[i];
    return energy;
}

float dv_augment_rms(const float *samples, int64_t count)
{
    return count > 0 ? (float)sqrt(energy_of(samples, count) / (double)count) : 0;
}

/* ---- Speed and shift ---- */

/* Adds up the taps in eight sums side by side, so that the loop becomes vector code. */
static inline float filtered(const float *restrict filter, const float *restrict samples)
{
    _Static_assert(DV_RESAMPLE_TAPS == 32, "four times eight");
    float sums[8], pairs[4];
#pragma omp simd
    for (int i = 0; i < 8; i++)
        sums[i] = (filter[i] * samples[i] + filter[i + 8] * samples[i + 8]) +
                  (filter[i + 16] * samples[i + 16] + filter[i + 24] * samples[i + 24]);
    for (int i = 0; i < 4; i++)
        pairs[i] = sums[i] + sums[i + 4];
    return (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]);
}

/* The same sum near an end of the clip, with zeros outside. `first` is the sample of the first
   tap. */
static float filtered_edge(const float *filter, const float *samples, int64_t count, int64_t first)
{
    float near[DV_RESAMPLE_TAPS];
    if (first >= count || first + DV_RESAMPLE_TAPS <= 0)
        return 0;
    for (int64_t tap = 0; tap < DV_RESAMPLE_TAPS; tap++)
        near[tap] = first + tap >= 0 && first + tap < count ? samples[first + tap] : 0;
    return filtered(filter, near);
}

/* Computes out (outputs), the samples at `position`, position + step, ... */
DV__CLONES
static void resample(const float *restrict filters, const float *restrict samples, int64_t count,
                     int64_t position, int64_t step, int64_t outputs, float *restrict out)
{
    for (int64_t t = 0; t < outputs; t++, position += step) {
        int64_t first = dv_augment_whole(position) - BEFORE;
        const float *restrict filter = filters + dv_augment_phase(position) * DV_RESAMPLE_TAPS;
        if (first >= 0 && first + DV_RESAMPLE_TAPS <= count)
            out[t] = filtered(filter, samples + first);
        else
            out[t] = filtered_edge(filter, samples, count, first);
    }
}

/* Computes out (history + length), the clip from sample t = -history of the window on. */
static void make_dry(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                     const float *samples, int64_t count, int64_t center, int64_t history,
                     float *out)
{
    int64_t outputs = history + augmenter->length;
    if (augmenter->resampler != NULL) {
        resample(dv_augment_filter(&augmenter->tables, draws->step), samples, count,
                 dv_augment_position(draws, center, augmenter->length, -history), draws->step,
                 outputs, out);
        return;
    }
    int64_t start = center + draws->shift - augmenter->length / 2 - history;
    int64_t from = start < 0 ? 0 : start;
    int64_t to = start + outputs < count ? start + outputs : count;
    memset(out, 0, (size_t)outputs * sizeof *out);
    if (from < to)
        memcpy(out + (from - start), samples + from, (size_t)(to - from) * sizeof *out);
}

/* ---- Reverberation ---- */

typedef struct reflections {
    int64_t delay[DV_REFLECTIONS];
    float weight[DV_REFLECTIONS];
} reflections;

static void draw_room(const dv_rng *rng, uint32_t place, const dv_augment_draws *draws,
                      reflections *out)
{
    float energy = 0;
    for (int i = 0; i < DV_REFLECTIONS; i++) {
        uint32_t words[4];
        dv__augment_words(rng, place, (uint32_t)(DV_AUGMENT_REFLECTIONS + i / 4), words);
        out->delay[i] = dv_augment_reflection_delay(words[i % 4], i, draws->decay);
        out->weight[i] = dv_augment_reflection_weight(words[i % 4], out->delay[i], draws->decay);
        energy += out->weight[i] * out->weight[i];
    }
    float scale = draws->reflected / sqrtf(energy);
    for (int i = 0; i < DV_REFLECTIONS; i++)
        out->weight[i] *= scale;
}

/* Adds eight reflections. `dry` points to sample 0 of the window; the samples before it must
   exist. */
DV__CLONES
static void add_reflections(const int64_t *delay, const float *weight, const float *dry,
                            int64_t length, float *restrict out)
{
    const float *a = dry - delay[0], *b = dry - delay[1], *c = dry - delay[2], *d = dry - delay[3];
    const float *e = dry - delay[4], *f = dry - delay[5], *g = dry - delay[6], *h = dry - delay[7];
    const float wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
    const float we = weight[4], wf = weight[5], wg = weight[6], wh = weight[7];
#pragma omp simd
    for (int64_t t = 0; t < length; t++)
        out[t] += ((wa * a[t] + wb * b[t]) + (wc * c[t] + wd * d[t])) +
                  ((we * e[t] + wf * f[t]) + (wg * g[t] + wh * h[t]));
}

static void reverberate(const reflections *room, const float *dry, int64_t length, float *out)
{
    _Static_assert(DV_REFLECTIONS % 8 == 0, "eight at a time");
    memcpy(out, dry, (size_t)length * sizeof *out);
    for (int i = 0; i < DV_REFLECTIONS; i += 8)
        add_reflections(room->delay + i, room->weight + i, dry, length, out);
}

/* ---- Noise, clipping and gain ---- */

/* It works on a copy of `how`, which cannot change while the samples are written, so that its
   conditions are decided once for all samples. */
DV__CLONES
static void finish(const dv_augment_finish *how, int64_t length, float *restrict out)
{
    const dv_augment_finish all = *how;
    const int32_t count = (int32_t)length;
#pragma omp simd
    for (int32_t t = 0; t < count; t++)
        out[t] = dv_augment_finished(&all, t, out[t]);
}

/* The order of the steps is that of augment.h. Without reverberation the clip goes straight into
   the window. */
void dv_augment_window(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                       const dv_augment_draws *draws, const float *samples, int64_t count,
                       int64_t center, float *window, void *scratch)
{
    int64_t length = augmenter->length;
    bool measured = draws->noise > 0 || draws->clipping > 0;
    float rms = measured ? dv_augment_rms(samples, count) : 0;
    dv_augment_finish rest;
    if (draws->decay > 0) {
        reflections room;
        int64_t history = draws->decay / 2 + 1;
        float *dry = scratch;
        draw_room(rng, place, draws, &room);
        make_dry(augmenter, draws, samples, count, center, history, dry);
        reverberate(&room, dry + history, length, window);
    } else {
        make_dry(augmenter, draws, samples, count, center, 0, window);
    }
    dv_augment_make_finish(&augmenter->tables, draws, rms, count, center, length, &rest);
    finish(&rest, length, window);
}

/* ---- Spectra ---- */

DV__CLONES
static void make_gains(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                       float *restrict gains)
{
    float last = (float)(augmenter->bins - 1);
    int32_t bins = (int32_t)augmenter->bins;
#pragma omp simd
    for (int32_t bin = 0; bin < bins; bin++)
        gains[bin] = dv_augment_bin_gain(draws->knots, (float)bin, last);
    for (int64_t bin = 0; draws->telephone && bin < augmenter->bins; bin++)
        gains[bin] *= augmenter->telephone[bin];
}

void dv_augment_spectrum(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         dv_spectral_change *out, void *scratch)
{
    const dv_augment_limits *limits = &augmenter->tables.limits;
    float *gains = (float *)scratch + dry_size(augmenter);
    float *positions = gains + bins_size(augmenter);
    float last = (float)(augmenter->bins - 1);
    *out = (dv_spectral_change){0};
    if (limits->equalizer > 0 || draws->telephone) {
        make_gains(augmenter, draws, gains);
        out->gains = gains;
    }
    if (limits->max_warp > 0) {
        for (int64_t bin = 0; bin < augmenter->bins; bin++)
            positions[bin] = dv_augment_warped_bin((float)bin, last, draws->warp);
        out->positions = positions;
    }
}
