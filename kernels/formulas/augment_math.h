/*
 * The draws of augmentation (frontends/augment/augment.h), made from random words, for the CPU and
 * for the CUDA kernels. They use integer arithmetic, and float sums and products that are each
 * rounded by themselves, so that both give the same bits. The sound and the spectra that are made
 * with the draws may differ by rounding.
 */
#ifndef DV_FORMULAS_AUGMENT_MATH_H
#define DV_FORMULAS_AUGMENT_MATH_H

#include "kernels/formulas/augment_tables.h"
#include "kernels/formulas/scalar_math.h"

/* nvcc would contract a product and a sum. The flags of all other compilers forbid it. */
#ifdef __CUDA_ARCH__
#define DV_ROUNDED_PRODUCT(a, b) __fmul_rn((a), (b))
#define DV_ROUNDED_SUM(a, b) __fadd_rn((a), (b))
#else
#define DV_ROUNDED_PRODUCT(a, b) ((a) * (b))
#define DV_ROUNDED_SUM(a, b) ((a) + (b))
#endif

/* A place has blocks of four random words. The index of a block is place + block * 2^24. */
enum {
    DV_AUGMENT_PLACE_BITS = 24,
    DV_AUGMENT_DRAWN_BLOCKS = 6, /* blocks for dv_augment_draws; the last lies behind all others */
    DV_AUGMENT_MASK_BLOCK = 5,   /* first block of the masks, two a block, rows before frames */
    DV_AUGMENT_REFLECTIONS = 9,  /* first block of the reflections, four a block */
    DV_AUGMENT_SHARE_BLOCK = 4,  /* its last word gives the share of a mixed clip */
};

/* The block behind number `drawn` of the DV_AUGMENT_DRAWN_BLOCKS. */
static inline DV_HD uint32_t dv_augment_drawn_block(uint32_t drawn)
{
    const uint32_t last = DV_AUGMENT_REFLECTIONS + (DV_REFLECTIONS + 3) / 4;
    return drawn < DV_AUGMENT_DRAWN_BLOCKS - 1 ? drawn : last;
}

/* ---- Draws ---- */

/* Uniform among 0 .. choices - 1, for 1 <= choices <= 2^32. */
static inline DV_HD int64_t dv_augment_choice(uint32_t bits, int64_t choices)
{
    return (int64_t)(((uint64_t)bits * (uint64_t)choices) >> 32);
}

/* Uniform among -most .. most, for 0 <= most < 2^31. */
static inline DV_HD int64_t dv_augment_shift(uint32_t bits, int64_t most)
{
    return dv_augment_choice(bits, 2 * most + 1) - most;
}

/* True with this probability. It uses the top 24 bits. */
static inline DV_HD bool dv_augment_chance(uint32_t bits, float probability)
{
    return DV_ROUNDED_PRODUCT((float)(bits >> 8), 1.0F / 16777216.0F) < probability;
}

/* 2^x for |x| < 126. The fraction f, |f| <= 1/2, gives 2^f by the Taylor series of exp(f ln 2) to
   the 6th power, with an error below 1.3e-7. */
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

/* 2^x for x uniform in [-most, most), by the top 24 bits. With most = dB / 6.0206 it is uniform in
   decibels. */
static inline DV_HD float dv_augment_gain(uint32_t bits, float most)
{
    float uniform = DV_ROUNDED_PRODUCT((float)(bits >> 8), 1.0F / 8388608.0F); /* in [0, 2) */
    return dv_augment_power_of_two(DV_ROUNDED_PRODUCT(most, DV_ROUNDED_SUM(uniform, -1.0F)));
}

/* Nearly normal, with mean 0 and deviation 1, from -3.5 to 3.5. It is the sum of the word's four
   bytes; each is uniform with the variance (256^2 - 1) / 12. */
static inline DV_HD float dv_augment_normal(uint32_t bits)
{
    int32_t sum =
        (int32_t)((bits & 255U) + (bits >> 8 & 255U) + (bits >> 16 & 255U) + (bits >> 24));
    return DV_ROUNDED_PRODUCT((float)(sum - 510), 6.7659597e-3F);
}

/* The quantile at a uniform place. It is linear between the points of the table. */
static inline DV_HD float dv_augment_share(uint32_t bits, const float *mixing)
{
    const float *point = mixing + (bits >> 22);
    float part = DV_ROUNDED_PRODUCT((float)(bits & 0x3FFFFFU), 1.0F / 4194304.0F);
    return DV_ROUNDED_SUM(point[0], DV_ROUNDED_PRODUCT(part, DV_ROUNDED_SUM(point[1], -point[0])));
}

/* Draws a stretch of the bank and its amplitude against the clip's RMS. The low bits of the first
   word, which its chance does not use, decide where it is heard. */
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

/* Draws telephone, clipping and reverberation. The reflections get 0.5 * 2^(-1..1), which is 12 to
   0 dB below the direct sound. The low bits of the first two words, which their chances do not use,
   decide on clipping and its level. */
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

/* Draws a gap. It lies wholly in the window, or fills it. */
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

/* Makes all draws of a place. The window has `length` samples, and `words` are the drawn blocks. */
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

/* A mask over 0 .. most of `size` rows or frames, from *first on. Returns its width. */
static inline DV_HD int32_t dv_augment_mask(uint32_t width_bits, uint32_t first_bits, int32_t most,
                                            int32_t size, int32_t *first)
{
    int32_t width = (int32_t)dv_augment_choice(width_bits, (most < size ? most : size) + 1);
    *first = (int32_t)dv_augment_choice(first_bits, size - width + 1);
    return width;
}

/* ---- Resampling ---- */

/* The place of output sample t of a window in the clip, times 2^32. Half a phase is added, so that
   the phase is rounded to nearest. */
static inline DV_HD int64_t dv_augment_position(const dv_augment_draws *draws, int64_t center,
                                                int64_t length, int64_t t)
{
    const int64_t half_phase = (((int64_t)1 << 32) / DV_RESAMPLE_PHASES) / 2;
    return center * ((int64_t)1 << 32) + (t + draws->shift - length / 2) * draws->step + half_phase;
}

/* The first t of 0 .. length at which the window has reached sample `sample` of the clip. */
static inline DV_HD int64_t dv_augment_reaches(const dv_augment_draws *draws, int64_t center,
                                               int64_t length, int64_t sample)
{
    const int64_t way = sample * ((int64_t)1 << 32) - dv_augment_position(draws, center, length, 0);
    const int64_t t = way > 0 ? (way + draws->step - 1) / draws->step : 0;
    return t < length ? t : length;
}

/* The number of the sample at a position, rounded down. */
static inline DV_HD int64_t dv_augment_whole(int64_t position)
{
    return (int64_t)(((uint64_t)position ^ (uint64_t)1 << 63) >> 32) - ((int64_t)1 << 31);
}

static inline DV_HD int32_t dv_augment_phase(int64_t position)
{
    return (int32_t)((((uint64_t)position & 0xFFFFFFFFU) * DV_RESAMPLE_PHASES) >> 32);
}

/* The filter (phases, taps) for this factor. Faster speeds get a lower cut-off, against aliases. */
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

/* The delay of a reflection. Reflections last until -30 dB, which is half of the decay. */
static inline DV_HD int64_t dv_augment_reflection_delay(uint32_t bits, int number, int64_t decay)
{
    int64_t length = decay / 2;
    return 1 + (number * length + dv_augment_choice(bits, length)) / DV_REFLECTIONS;
}

/* The weight of a reflection, 10^(-3 delay / decay) with a random sign. All weights are then scaled
   to the drawn amplitude. */
static inline DV_HD float dv_augment_reflection_weight(uint32_t bits, int64_t delay, int64_t decay)
{
    float weight = dv_augment_power_of_two(-9.9657843F * (float)delay / (float)decay);
    return (bits & 1U) != 0 ? weight : -weight;
}

/* ---- Finish ---- */

/* The changes of a window's samples after speed, shift and reverberation. */
typedef struct dv_augment_finish {
    const float *noise;           /* (length), noise for each sample of the window; NULL for none */
    float amplitude;              /* factor of the noise */
    int32_t noise_from, noise_to; /* the samples to which it is added */
    float level;                  /* samples are clipped to -level..level; 0 for no clipping */
    int32_t gap_from, gap_to;     /* the samples that become 0 */
    float gain;
} dv_augment_finish;

/* `rms`, `count` and `center` are the clip's, `length` is the window's. */
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

/* Sample t of the window after these changes, from its `value` before. */
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

/* The place from which bin `bin` of 0 .. last takes its power. It is factor * bin while neither is
   above the knee at 0.8 of the band; from there it goes straight to the end. */
static inline DV_HD float dv_augment_warped_bin(float bin, float last, float factor)
{
    float knee = 0.8F * last;
    float turn = factor > 1.0F ? knee / factor : knee;
    if (bin <= turn)
        return bin * factor;
    return last - (last - turn * factor) * (last - bin) / (last - turn);
}

/* The equaliser's gain for the power of a bin. It is linear in decibels between the knots. */
static inline DV_HD float dv_augment_bin_gain(const float *knots, float bin, float last)
{
    float place = (DV_EQUALIZER_KNOTS - 1) * bin / last;
    int32_t below = (int32_t)place;
    below = below < DV_EQUALIZER_KNOTS - 2 ? below : DV_EQUALIZER_KNOTS - 2;
    float part = place - (float)below;
    return dv_augment_power_of_two(knots[below] + part * (knots[below + 1] - knots[below]));
}

#endif
