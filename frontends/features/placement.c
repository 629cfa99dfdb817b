/*
 * Prepares each clip once: removes the mean, sets the level, finds the word. The word's centre is
 * the centroid of its amplitude envelope. Recordings differ in their silence on each side, and
 * models learn faster if the word is always in the same place. In a recording longer than the
 * window only the loudest stretch counts, since seconds of faint noise on one side weigh as much as
 * a word.
 */
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The most frames of the envelope. 10 ms apart they cover 41 s; longer clips get longer frames. */
enum { MAX_ENVELOPE = 4096 };

typedef struct envelope {
    int64_t frames, length, hop;
    float values[MAX_ENVELOPE];
} envelope;

/* Sums run in lanes, so that they become vector code and are the same to the bit on every
   instruction set. This adds up the lanes. */
static double total(const double sums[DV__LANES])
{
    double sum = 0;
    for (int lane = 0; lane < DV__LANES; lane++)
        sum += sums[lane];
    return sum;
}

DV__CLONES
static double sum_of(const float *samples, int64_t count)
{
    double sums[DV__LANES] = {0};
    int64_t whole = count - count % DV__LANES;
    for (int64_t i = 0; i < whole; i += DV__LANES) {
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++)
            sums[lane] += (double)samples[i + lane];
    }
    for (int64_t i = whole; i < count; i++)
        sums[i - whole] += (double)samples[i];
    return total(sums);
}

DV__CLONES
static double energy_of(const float *samples, int64_t count)
{
    double sums[DV__LANES] = {0};
    int64_t whole = count - count % DV__LANES;
    for (int64_t i = 0; i < whole; i += DV__LANES) {
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++)
            sums[lane] += (double)samples[i + lane] * (double)samples[i + lane];
    }
    for (int64_t i = whole; i < count; i++)
        sums[i - whole] += (double)samples[i] * (double)samples[i];
    return total(sums);
}

/* The energy of samples (count) after the mild high-pass 0.5 x + 0.5 diff x = x[t] - 0.5 x[t - 1].
   The sample before the first one must exist. */
DV__CLONES
static double high_passed_energy(const float *samples, int64_t count)
{
    double sums[DV__LANES] = {0};
    int64_t whole = count - count % DV__LANES;
    for (int64_t i = 0; i < whole; i += DV__LANES) {
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            double value = (double)samples[i + lane] - 0.5 * (double)samples[i + lane - 1];
            sums[lane] += value * value;
        }
    }
    for (int64_t i = whole; i < count; i++) {
        double value = (double)samples[i] - 0.5 * (double)samples[i - 1];
        sums[i - whole] += value * value;
    }
    return total(sums);
}

static void remove_mean(float *samples, int64_t count)
{
    float mean = (float)(sum_of(samples, count) / (double)count);
    for (int64_t i = 0; i < count; i++)
        samples[i] -= mean;
}

DV__CLONES
static double peak_of(const float *samples, int64_t count)
{
    float peak = 0;
#pragma omp simd reduction(max : peak)
    for (int64_t i = 0; i < count; i++)
        peak = fabsf(samples[i]) > peak ? fabsf(samples[i]) : peak;
    return (double)peak;
}

/*
 * The RMS of the loud part, sqrt(sum p^2 / sum p). It is the root of the mean power p of 25 ms
 * frames, each weighted with its own power, so that silence around the word does not count.
 */
static double loud_rms(const float *samples, int64_t count, int64_t sample_rate)
{
    int64_t length = DV__ENVELOPE_LENGTH(sample_rate);
    double powers = 0;
    double squares = 0;
    for (int64_t start = 0; start < count; start += length) {
        int64_t size = count - start < length ? count - start : length;
        double power = energy_of(samples + start, size) / (double)length;
        powers += power;
        squares += power * power;
    }
    return powers > 0 ? sqrt(squares / powers) : 0;
}

static void set_level(const dv_features_config *config, float *samples, int64_t count)
{
    double level = 0;
    double target = 1;
    if (config->level == DV_LEVEL_PEAK) {
        level = peak_of(samples, count);
    } else if (config->level == DV_LEVEL_RMS) {
        level = loud_rms(samples, count, config->sample_rate);
        target = DV__RMS_LEVEL;
    }
    if (level < DV__SILENCE)
        return;
    float gain = (float)(target / level);
    for (int64_t i = 0; i < count; i++)
        samples[i] *= gain;
}

/* Computes the root of the power of 25 ms frames every 10 ms. The last frame may hang over the
   end. */
static void make_envelope(const float *samples, int64_t count, int64_t sample_rate, envelope *out)
{
    out->length = DV__ENVELOPE_LENGTH(sample_rate);
    out->hop = DV__ENVELOPE_HOP(sample_rate);
    while (count / out->hop >= MAX_ENVELOPE) {
        out->length *= 2;
        out->hop *= 2;
    }
    int64_t rest = count > out->length ? count - out->length : 0;
    out->frames = 1 + (rest + out->hop - 1) / out->hop;
    for (int64_t i = 0; i < out->frames; i++) {
        int64_t from = i * out->hop;
        int64_t to = from + out->length < count ? from + out->length : count;
        double energy = from > 0 ? high_passed_energy(samples + from, to - from)
                                 : (double)samples[0] * (double)samples[0] +
                                       high_passed_energy(samples + 1, to - 1);
        out->values[i] = (float)sqrt(energy / (double)out->length);
    }
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The quantile `fraction` (0..1), linear between the two nearest values. Sorts `values`. */
static float percentile(float *values, int64_t count, double fraction)
{
    qsort(values, (size_t)count, sizeof *values, compare_floats);
    double place = fraction * (double)(count - 1);
    int64_t below = (int64_t)place;
    int64_t above = below + 1 < count ? below + 1 : below;
    double rest = place - (double)below;
    return (float)((1 - rest) * (double)values[below] + rest * (double)values[above]);
}

/* Subtracts the noise floor, and clips the rest at 0. */
static void subtract_floor(envelope *out, double seconds)
{
    float sorted[MAX_ENVELOPE];
    memcpy(sorted, out->values, (size_t)out->frames * sizeof *sorted);
    const dv__noise_floor *noise = dv__noise_floor_of(seconds);
    float level = noise->factor * percentile(sorted, out->frames, noise->fraction);
    for (int64_t i = 0; i < out->frames; i++)
        out->values[i] = out->values[i] > level ? out->values[i] - level : 0;
}

static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

/* The smallest and the largest of four values cannot be the median of five, so they are left
   out. */
static float median(const float values[5])
{
    float low = larger(smaller(values[0], values[1]), smaller(values[2], values[3]));
    float high = smaller(larger(values[0], values[1]), larger(values[2], values[3]));
    return larger(smaller(low, high), smaller(larger(low, high), values[4]));
}

/* The median of five frames removes clicks. Outside the clip there is silence. */
static void smooth(const envelope *in, envelope *out)
{
    out->frames = in->frames;
    out->length = in->length;
    out->hop = in->hop;
    for (int64_t i = 0; i < in->frames; i++) {
        float near[5];
        for (int64_t k = 0; k < 5; k++) {
            int64_t at = i + k - 2;
            near[k] = at >= 0 && at < in->frames ? in->values[at] : 0;
        }
        out->values[i] = median(near);
    }
}

/* Keeps the `frames` consecutive values of the envelope with the largest sum, and clears the
   rest. */
static void keep_loudest(envelope *in, int64_t frames)
{
    double sum = 0;
    double most = 0;
    int64_t end = 0;
    for (int64_t i = 0; i < in->frames; i++) {
        sum += (double)in->values[i] - (i < frames ? 0 : (double)in->values[i - frames]);
        if (sum > most) {
            most = sum;
            end = i + 1;
        }
    }
    for (int64_t i = 0; i < in->frames; i++)
        in->values[i] = i >= end - frames && i < end ? in->values[i] : 0;
}

/* The centroid in samples; negative if the envelope is 0 throughout. */
static double centroid(const envelope *in, int64_t count)
{
    double weights = 0;
    double moments = 0;
    for (int64_t i = 0; i < in->frames; i++) {
        int64_t from = i * in->hop;
        int64_t to = from + in->length < count ? from + in->length : count;
        weights += (double)in->values[i];
        moments += (double)in->values[i] * 0.5 * (double)(from + to);
    }
    return weights > 0 ? moments / weights : -1;
}

/* If the median leaves nothing (a word of less than three frames) the envelope itself decides. If
   that is 0 too (silence, a steady tone) the middle of the clip is taken. */
static int64_t word_centre(const float *samples, int64_t count, int64_t sample_rate, int64_t window)
{
    envelope raw;
    envelope smoothed;
    make_envelope(samples, count, sample_rate, &raw);
    subtract_floor(&raw, (double)count / (double)sample_rate);
    smooth(&raw, &smoothed);
    keep_loudest(&smoothed, window > raw.hop ? window / raw.hop : 1);
    double centre = centroid(&smoothed, count);
    if (centre < 0)
        centre = centroid(&raw, count);
    if (centre < 0)
        return count / 2;
    int64_t sample = llround(centre);
    return sample < count ? sample : count - 1;
}

int64_t dv_frontend_prepare(const dv_frontend *frontend, float *samples, int64_t count)
{
    DV_ASSERT(count >= 1);
    remove_mean(samples, count);
    set_level(&frontend->config, samples, count);
    switch ((dv_placement)frontend->config.placement) {
    case DV_PLACE_ENERGY:
        return word_centre(samples, count, frontend->config.sample_rate, frontend->samples);
    case DV_PLACE_MIDDLE:
        return count / 2;
    case DV_PLACE_START:
        break;
    }
    return frontend->samples / 2; /* the window begins with the clip */
}

void dv_frontend_seen(const dv_frontend *frontend, int64_t count, int64_t center, int64_t shift,
                      int64_t *from, int64_t *to)
{
    int64_t start = center + shift - frontend->samples / 2, end = start + frontend->samples;
    *from = start < 0 ? 0 : start < count ? start : count;
    *to = end < *from ? *from : end < count ? end : count;
}

DV__CLONES
static void scale(const float *restrict from, int64_t count, float gain, float *restrict to)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] * gain;
}

void dv_frontend_cut(const dv_frontend *frontend, const float *samples, int64_t count,
                     int64_t center, int64_t shift, float gain, float *window)
{
    int64_t size = frontend->samples, start = center + shift - size / 2, from, to;
    dv_frontend_seen(frontend, count, center, shift, &from, &to);
    if (from >= to) {
        memset(window, 0, (size_t)size * sizeof *window);
        return;
    }
    memset(window, 0, (size_t)(from - start) * sizeof *window);
    memset(window + (to - start), 0, (size_t)(start + size - to) * sizeof *window);
    scale(samples + from, to - from, gain, window + (from - start));
}
