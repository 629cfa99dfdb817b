/*
 * How augmentation makes its draws of random words (frontends/augment/augment.h), for the CPU and
 * for the CUDA kernels: integer arithmetic, and float additions and multiplications that are each
 * rounded by themselves, so that both give the same bits. What is then made of sound and spectra
 * may differ by rounding.
 */
#ifndef DV_FORMULAS_AUGMENT_MATH_H
#define DV_FORMULAS_AUGMENT_MATH_H

#include "kernels/formulas/augment_tables.h"
#include "kernels/formulas/scalar_math.h"

/* nvcc would contract a product and a sum; all other compilers are told not to. */
#ifdef __CUDA_ARCH__
#define DV_ROUNDED_PRODUCT(a, b) __fmul_rn((a), (b))
#define DV_ROUNDED_SUM(a, b) __fadd_rn((a), (b))
#else
#define DV_ROUNDED_PRODUCT(a, b) ((a) * (b))
#define DV_ROUNDED_SUM(a, b) ((a) + (b))
#endif

/* Words of a place, in blocks of four: the index of a block's words is place + block * 2^24. */
enum {
    DV_AUGMENT_PLACE_BITS = 24,
    DV_AUGMENT_DRAWN_BLOCKS = 6, /* of dv_augment_draws; the last one lies behind all others */
    DV_AUGMENT_MASK_BLOCK = 5,   /* two masks a block: those of rows, then those of frames */
    DV_AUGMENT_REFLECTIONS = 9,  /* the first block of the reflections, four a block */
    DV_AUGMENT_SHARE_BLOCK = 4,  /* its last word is the share of a mixed clip */
};

/* The number of the block that is drawn as number `drawn` of DV_AUGMENT_DRAWN_BLOCKS. */
static inline DV_HD uint32_t dv_augment_drawn_block(uint32_t drawn)
{
    const uint32_t last = DV_AUGMENT_REFLECTIONS + (DV_REFLECTIONS + 3) / 4;
    return drawn < DV_AUGMENT_DRAWN_BLOCKS - 1 ? drawn : last;
}

/* ---- Draws ---- */

/* Uniform among 0 .. choices - 1; 1 <= choices <= 2^32. */
static inline DV_HD int64_t dv_augment_choice(uint32_t bits, int64_t choices)
{
    return (int64_t)(((uint64_t)bits * (uint64_t)choices) >> 32);
}

/* Uniform among -most .. most; 0 <= most < 2^31. */
static inline DV_HD int64_t dv_augment_shift(uint32_t bits, int64_t most)
{
    return dv_augment_choice(bits, 2 * most + 1) - most;
}

/* True with this probability, by the top 24 bits. */
static inline DV_HD bool dv_augment_chance(uint32_t bits, float probability)
{
    return DV_ROUNDED_PRODUCT((float)(bits >> 8), 1.0F / 16777216.0F) < probability;
}

/* 2^x, |x| < 126. 2^f by the Taylor series of exp(f ln 2) to the 6th power, |f| <= 1/2: error below
   1.3e-7. */
static inline DV_HD float dv_augment_power_of_two(float x)
{
    int32_t whole = (int32_t)DV_ROUNDED_SUM(x, x < 0.0F ? -0.5F : 0.5F);
    float f = DV_ROUNDED_SUM(x, -(float)whole);
    float power = 1.5403530e-4F;
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 1.3333558e-3F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 9.6181291e-3F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 5.5504109e-2F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 2.4022651e-1F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 6.9314718e-1F);
    power = DV_ROUNDED_SUM(DV_ROUNDED_PRODUCT(power, f), 1.0F);
    uint32_t bits = (uint32_t)(whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return DV_ROUNDED_PRODUCT(power, scale);
}

/* 2^x for x uniform in [-most, most), by the top 24 bits: uniform in decibels for
   most = dB / 6.0206. */
static inline DV_HD float dv_augment_gain(uint32_t bits, float most)
{
    float uniform = DV_ROUNDED_PRODUCT((float)(bits >> 8), 1.0F / 8388608.0F); /* in [0, 2) */
    return dv_augment_power_of_two(DV_ROUNDED_PRODUCT(most, DV_ROUNDED_SUM(uniform, -1.0F)));
}

/* Mean 0, deviation 1, at most 3.5: the sum of the word's four bytes, each uniform with the
   variance (256^2 - 1) / 12. */
static inline DV_HD float dv_augment_normal(uint32_t bits)
{
    int32_t sum =
        (int32_t)((bits & 255U) + (bits >> 8 & 255U) + (bits >> 16 & 255U) + (bits >> 24));
    return DV_ROUNDED_PRODUCT((float)(sum - 510), 6.7659597e-3F);
}

/* The quantile at a uniform place, linear between the points of the table. */
static inline DV_HD float dv_augment_share(uint32_t bits, const float *mixing)
{
    const float *point = mixing + (bits >> 22);
    float part = DV_ROUNDED_PRODUCT((float)(bits & 0x3FFFFFU), 1.0F / 4194304.0F);
    return DV_ROUNDED_SUM(point[0], DV_ROUNDED_PRODUCT(part, DV_ROUNDED_SUM(point[1], -point[0])));
}

/* A stretch of the bank, and its amplitude against the clip's RMS. The low bits of the first word,
   which its chance does not use, decide where it is heard. */
static inline DV_HD void dv_augment_draw_noise(const dv_augment_tables *tables,
                                               const uint32_t words[4], dv_augment_draws *out)
{
    const dv_augment_limits *limits = &tables->limits;
    out->noise = 0.0F;
    out->noise_at = 0;
    out->noise_within = false;
    if (!dv_augment_chance(words[0], limits->noise))
        return;
    const dv_noise *noise = &tables->noise.noises[dv_augment_choice(words[2], tables->noise.count)];
    int64_t start = dv_augment_choice(words[3], noise->starts);
    float level =
        DV_ROUNDED_PRODUCT(limits->noise_level, dv_augment_gain(words[1], limits->noise_range));
    out->noise = DV_ROUNDED_PRODUCT(level, tables->noise.factors[noise->first + start]);
    out->noise_at = noise->offset + start * DV_NOISE_STRIDE;
    out->noise_within = dv_augment_chance(words[0] << 24, limits->noise_within);
}

/* 0.5 * 2^(-1..1) for the reflections: 12 to 0 dB below the direct sound. The low bits of the first
   two words, which their chances do not use, decide on clipping and its level. */
static inline DV_HD void dv_augment_draw_room(const dv_augment_limits *limits,
                                              const uint32_t words[4], dv_augment_draws *out)
{
    out->telephone = dv_augment_chance(words[0], limits->telephone);
    out->clipping = 0.0F;
    if (dv_augment_chance(words[0] << 24, limits->clipping))
        out->clipping = DV_ROUNDED_PRODUCT(limits->clipping_level,
                                           dv_augment_gain(words[1] << 24, limits->clipping_range));
    out->decay = 0;
    if (dv_augment_chance(words[1], limits->reverberation))
        out->decay = limits->least_decay +
                     dv_augment_choice(words[2], limits->most_decay - limits->least_decay + 1);
    out->reflected = DV_ROUNDED_PRODUCT(0.5F, dv_augment_gain(words[3], 1.0F));
}

/* A gap lies in the window as a whole, or fills it. */
static inline DV_HD void dv_augment_draw_gap(const dv_augment_limits *limits, int64_t length,
                                             const uint32_t words[4], dv_augment_draws *out)
{
    out->gap = out->gap_at = 0;
    if (!dv_augment_chance(words[0], limits->gap))
        return;
    int64_t gap =
        limits->least_gap + dv_augment_choice(words[1], limits->most_gap - limits->least_gap + 1);
    gap = gap < length ? gap : length;
    out->gap = (int32_t)gap;
    out->gap_at = (int32_t)dv_augment_choice(words[2], length - gap + 1);
}

/* length: samples of the window; words: the blocks of a place that are drawn. */
static inline DV_HD void dv_augment_make_draws(const dv_augment_tables *tables, int64_t length,
                                               const uint32_t words[DV_AUGMENT_DRAWN_BLOCKS][4],
                                               dv_augment_draws *out)
{
    const dv_augment_limits *limits = &tables->limits;
    out->shift = dv_augment_shift(words[0][0], limits->max_shift);
    out->gain = dv_augment_gain(words[0][1], limits->max_gain);
    out->step =
        (int64_t)DV_ROUNDED_PRODUCT(dv_augment_gain(words[0][2], limits->max_speed), 4294967296.0F);
    out->warp = dv_augment_gain(words[0][3], limits->max_warp);
    dv_augment_draw_noise(tables, words[1], out);
    dv_augment_draw_room(limits, words[2], out);
    dv_augment_draw_gap(limits, length, words[DV_AUGMENT_DRAWN_BLOCKS - 1], out);
    for (int knot = 0; knot < DV_EQUALIZER_KNOTS; knot++)
        out->knots[knot] =
            DV_ROUNDED_PRODUCT(limits->equalizer, dv_augment_normal(words[3 + knot / 4][knot % 4]));
    out->share = tables->mixing != NULL
                     ? dv_augment_share(words[DV_AUGMENT_SHARE_BLOCK][3], tables->mixing)
                     : 1.0F;
}

/* A mask of 0 .. most of `size` rows or frames: those from *first on. */
static inline DV_HD int32_t dv_augment_mask(uint32_t width_bits, uint32_t first_bits, int32_t most,
                                            int32_t size, int32_t *first)
{
    int32_t width = (int32_t)dv_augment_choice(width_bits, (most < size ? most : size) + 1);
    *first = (int32_t)dv_augment_choice(first_bits, size - width + 1);
    return width;
}

/* ---- Resampling ---- */

/* Where output sample t of a window lies in the clip, times 2^32, rounded to a phase. */
static inline DV_HD int64_t dv_augment_position(const dv_augment_draws *draws, int64_t center,
                                                int64_t length, int64_t t)
{
    const int64_t half_phase = (((int64_t)1 << 32) / DV_RESAMPLE_PHASES) / 2;
    return center * ((int64_t)1 << 32) + (t + draws->shift - length / 2) * draws->step + half_phase;
}

/* The first of 0 .. length at which the window has reached sample `sample` of the clip. */
static inline DV_HD int64_t dv_augment_reaches(const dv_augment_draws *draws, int64_t center,
                                               int64_t length, int64_t sample)
{
    const int64_t way = sample * ((int64_t)1 << 32) - dv_augment_position(draws, center, length, 0);
    const int64_t t = way > 0 ? (way + draws->step - 1) / draws->step : 0;
    return t < length ? t : length;
}

/* The sample's number, rounded down. */
static inline DV_HD int64_t dv_augment_whole(int64_t position)
{
    return (int64_t)(((uint64_t)position ^ (uint64_t)1 << 63) >> 32) - ((int64_t)1 << 31);
}

static inline DV_HD int32_t dv_augment_phase(int64_t position)
{
    return (int32_t)((((uint64_t)position & 0xFFFFFFFFU) * DV_RESAMPLE_PHASES) >> 32);
}

/* The filter (phases, taps) of this factor: faster is lower, so that nothing is folded. */
static inline DV_HD const float *dv_augment_filter(const dv_augment_tables *tables, int64_t step)
{
    const int64_t one = (int64_t)1 << 32;
    int64_t number = 0;
    if (step > one)
        number =
            1 + (step - one - 1) * (DV_RESAMPLE_FILTERS - 1) / (tables->limits.most_step - one);
    number = number < DV_RESAMPLE_FILTERS ? number : DV_RESAMPLE_FILTERS - 1;
    return tables->resampler + number * DV_RESAMPLE_PHASES * DV_RESAMPLE_TAPS;
}

/* ---- Reverberation ---- */

/* Reflections last until 30 dB below: half of the decay. */
static inline DV_HD int64_t dv_augment_reflection_delay(uint32_t bits, int number, int64_t decay)
{
    int64_t length = decay / 2;
    return 1 + (number * length + dv_augment_choice(bits, length)) / DV_REFLECTIONS;
}

/* Before all of them are scaled to the amplitude drawn: 10^(-3 delay / decay), of either sign. */
static inline DV_HD float dv_augment_reflection_weight(uint32_t bits, int64_t delay, int64_t decay)
{
    float weight = dv_augment_power_of_two(-9.9657843F * (float)delay / (float)decay);
    return (bits & 1U) != 0 ? weight : -weight;
}

/* ---- Finish ---- */

/* What the samples of a window meet once speed, shift and reverberation are done. */
typedef struct dv_augment_finish {
    const float *noise;           /* (length): under each sample of the window; NULL: none */
    float amplitude;              /* of the noise */
    int32_t noise_from, noise_to; /* the samples that it is added to */
    float level;                  /* what lies beyond it, on either side, is cut; 0: nothing is */
    int32_t gap_from, gap_to;     /* the samples that are 0 */
    float gain;
} dv_augment_finish;

/* rms, count, center: of the clip; length: of the window. */
static inline DV_HD void dv_augment_make_finish(const dv_augment_tables *tables,
                                                const dv_augment_draws *draws, float rms,
                                                int64_t count, int64_t center, int64_t length,
                                                dv_augment_finish *out)
{
    out->noise = draws->noise > 0.0F ? tables->noise.samples + draws->noise_at : NULL;
    out->amplitude = DV_ROUNDED_PRODUCT(draws->noise, rms);
    out->noise_from = 0;
    out->noise_to = (int32_t)length;
    if (draws->noise_within) {
        out->noise_from = (int32_t)dv_augment_reaches(draws, center, length, 0);
        out->noise_to = (int32_t)dv_augment_reaches(draws, center, length, count);
    }
    out->level = DV_ROUNDED_PRODUCT(draws->clipping, rms);
    out->gap_from = draws->gap_at;
    out->gap_to = draws->gap_at + draws->gap;
    out->gain = draws->gain;
}

/* Whether the sound of a window is more than a stretch of its clip times a gain. */
static inline DV_HD bool dv_augment_changes_sound(const dv_augment_limits *limits)
{
    return limits->max_speed > 0.0F || limits->reverberation > 0.0F || limits->noise > 0.0F ||
           limits->clipping > 0.0F || limits->gap > 0.0F;
}

/* Sample t of the window, which is `value` before. */
static inline DV_HD float dv_augment_finished(const dv_augment_finish *finish, int32_t t,
                                              float value)
{
    if (finish->noise != NULL) {
        float noisy =
            DV_ROUNDED_SUM(value, DV_ROUNDED_PRODUCT(finish->amplitude, finish->noise[t]));
        value = t >= finish->noise_from && t < finish->noise_to ? noisy : value;
    }
    if (finish->level > 0.0F) {
        float below = value < finish->level ? value : finish->level;
        value = below > -finish->level ? below : -finish->level;
    }
    value = t >= finish->gap_from && t < finish->gap_to ? 0.0F : value;
    return DV_ROUNDED_PRODUCT(value, finish->gain);
}

/* ---- Spectra ---- */

/* The place that bin `bin` of 0 .. last is taken from: factor * bin, as long as neither is above
   the knee, 0.8 of the band; from there on straight to the end. */
static inline DV_HD float dv_augment_warped_bin(float bin, float last, float factor)
{
    float knee = 0.8F * last;
    float turn = factor > 1.0F ? knee / factor : knee;
    if (bin <= turn)
        return bin * factor;
    return last - (last - turn * factor) * (last - bin) / (last - turn);
}

/* The equaliser's gain of the power of a bin: in decibels, linear between the knots. */
static inline DV_HD float dv_augment_bin_gain(const float *knots, float bin, float last)
{
    float place = (DV_EQUALIZER_KNOTS - 1) * bin / last;
    int32_t below = (int32_t)place;
    below = below < DV_EQUALIZER_KNOTS - 2 ? below : DV_EQUALIZER_KNOTS - 2;
    float part = place - (float)below;
    return dv_augment_power_of_two(knots[below] + part * (knots[below + 1] - knots[below]));
}

#endif
