/* What augmentation does to sound, spectra, features and targets. */
#include "frontends/batch/batch.h"
#include "tests/support/augment_setup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { RATE = 8000, LENGTH = 8000, LONG = 24000 /* a clip that fills every window */ };

static const double pi = 3.141592653589793;

static void *allocated(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert_non_null(memory);
    return memory;
}

/* An augmenter on a front-end that gives decibels as they are, and one window. */
typedef struct bench {
    dv_augment_config config;
    dv_frontend *frontend;
    dv_augmenter *augmenter;
    float *clip; /* (LONG) */
    float *window, *features;
    void *scratch, *features_scratch;
    dv_augment_draws draws;
} bench;

static bench begin(void)
{
    bench b = {.clip = allocated(LONG, sizeof(float))};
    must(dv_fields_default(dv_augment_fields, &b.config));
    b.config.shift = b.config.gain = 0;
    return b;
}

static void finish(bench *b, int type)
{
    dv_features_config features;
    must(dv_fields_default(dv_features_fields, &features));
    features.type = type;
    features.mean = features.deviation = DV_OVER_NONE;
    features.top_db = 0;
    must(dv_frontend_create(&features, &b->frontend));
    must(dv_augmenter_create(&b->config, b->frontend, &b->augmenter));
    size_t size = (size_t)(dv_frontend_rows(b->frontend) * dv_frontend_frames(b->frontend));
    b->window = allocated(LENGTH, sizeof *b->window);
    b->features = allocated(size, sizeof *b->features);
    b->scratch = aligned_alloc(64, (dv_augment_scratch(b->augmenter) + 63) / 64 * 64);
    b->features_scratch = aligned_alloc(64, (dv_frontend_scratch(b->frontend) + 63) / 64 * 64);
    assert_true(b->scratch != NULL && b->features_scratch != NULL);
}

static void end(bench *b)
{
    dv_augmenter_free(b->augmenter);
    dv_frontend_free(b->frontend);
    free(b->clip);
    free(b->window);
    free(b->features);
    free(b->scratch);
    free(b->features_scratch);
}

static void tone(bench *b, double hz)
{
    for (int i = 0; i < LONG; i++)
        b->clip[i] = (float)(0.5 * sin(2 * pi * hz * (i - LONG / 2) / RATE));
}

static dv_rng at_step(uint64_t step)
{
    return (dv_rng){.seed = 4, .use = DV_RNG_AUGMENT, .step = step};
}

static void make_window(bench *b, uint64_t step)
{
    dv_rng rng = at_step(step);
    dv_augment_draw(b->augmenter, &rng, 0, &b->draws);
    dv_augment_window(b->augmenter, &rng, 0, &b->draws, b->clip, LONG, LONG / 2, b->window,
                      b->scratch);
}

static void make_features(bench *b)
{
    dv_spectral_change change;
    dv_augment_spectrum(b->augmenter, &b->draws, &change, b->scratch);
    dv_frontend_compute_changed(b->frontend, b->window, &change, b->features, b->features_scratch);
}

/* Decibels of a bin in the middle of the window; for spectrograms. */
static double level_at(const bench *b, int64_t bin)
{
    int64_t frames = dv_frontend_frames(b->frontend);
    return (double)b->features[bin * frames + frames / 2];
}

/* ---- Sound ---- */

/* The amplitude of a frequency, and all that is left beside it. */
static double amplitude_of(const float *window, double hz, double *rest)
{
    double cosine = 0, sine = 0, energy = 0;
    for (int t = 0; t < LENGTH; t++) {
        double weight = 1 - cos(2 * pi * (t + 0.5) / LENGTH); /* Hann, mean 1 */
        cosine += weight * (double)window[t] * cos(2 * pi * hz * (t - LENGTH / 2) / RATE);
        sine += weight * (double)window[t] * sin(2 * pi * hz * (t - LENGTH / 2) / RATE);
    }
    cosine *= 2.0 / LENGTH;
    sine *= 2.0 / LENGTH;
    for (int t = 0; t < LENGTH; t++) {
        double phase = 2 * pi * hz * (t - LENGTH / 2) / RATE;
        double left = (double)window[t] - cosine * cos(phase) - sine * sin(phase);
        energy += left * left;
    }
    *rest = sqrt(2 * energy / LENGTH);
    return sqrt(cosine * cosine + sine * sine);
}

static void speed_changes_a_tone(void **state)
{
    (void)state;
    static const double tones[] = {100, 440, 1000, 2500};
    bench b = begin();
    b.config.speed = 1.15;
    finish(&b, DV_FEATURES_MEL);
    for (uint64_t step = 0; step < 20; step++) {
        double hz = tones[step % 4], rest;
        tone(&b, hz);
        make_window(&b, step);
        double factor = (double)b.draws.step / 4294967296.0;
        double got = amplitude_of(b.window, hz * factor, &rest);
        if (fabs(got - 0.5) > 0.005 || rest > 0.5 * 4e-3)
            fail_msg("%g Hz at %g: amplitude %g, rest %g", hz, factor, got, rest);
    }
    end(&b);
}

/* What would lie above half the rate does not come back below it. */
static void speed_folds_nothing(void **state)
{
    (void)state;
    bench b = begin();
    b.config.speed = 2;
    finish(&b, DV_FEATURES_MEL);
    int checked = 0;
    for (uint64_t step = 0; step < 60; step++) {
        double hz = 3400;
        tone(&b, hz);
        make_window(&b, step);
        double factor = (double)b.draws.step / 4294967296.0, rest;
        if (factor * hz < 4800)
            continue;
        checked++;
        amplitude_of(b.window, 8000 - factor * hz, &rest);
        double energy = 0;
        for (int t = 0; t < LENGTH; t++)
            energy += (double)b.window[t] * (double)b.window[t];
        double level = 10 * log10(energy / LENGTH / 0.125);
        if (level > -45)
            fail_msg("%g Hz at %g: %g dB are left", hz, factor, level);
    }
    assert_true(checked > 5);
    end(&b);
}

/* The word stays where it is: a click at the clip's centre, read at any speed. */
static void speed_keeps_the_centre(void **state)
{
    (void)state;
    bench b = begin();
    b.config.speed = 1.5;
    finish(&b, DV_FEATURES_MEL);
    b.clip[LONG / 2] = 1;
    for (uint64_t step = 0; step < 10; step++) {
        make_window(&b, step);
        int largest = 0;
        for (int t = 0; t < LENGTH; t++)
            largest = b.window[t] > b.window[largest] ? t : largest;
        assert_int_equal(largest, LENGTH / 2);
    }
    end(&b);
}

static void noise_has_the_ratio_drawn(void **state)
{
    (void)state;
    bench b = begin();
    b.config.noise = 1;
    b.config.noise_snr[0] = -5;
    b.config.noise_snr[1] = 30;
    finish(&b, DV_FEATURES_MEL);
    tone(&b, 300);
    for (int i = 0; i < LONG / 3; i++)
        b.clip[i] = 0; /* the RMS is that of the whole clip */
    double rms = (double)dv_augment_rms(b.clip, LONG);
    assert_true(fabs(rms - 0.5 * sqrt(0.5 * 2 / 3)) < 1e-3);
    const dv_noise_bank *bank = &dv_augmenter_tables(b.augmenter)->noise;
    for (uint64_t step = 0; step < 20; step++) {
        uint32_t words[4];
        dv_rng rng = at_step(step);
        make_window(&b, step);
        dv_rng_words(&rng, 1U << DV_AUGMENT_PLACE_BITS, words);
        double want = -5 + 35 * (1 - (double)dv_uniform_from_bits(words[1])), energy = 0;
        for (int t = 0; t < LENGTH; t++) {
            double noise = (double)b.window[t] - (double)b.clip[LONG / 2 - LENGTH / 2 + t];
            energy += noise * noise;
        }
        double got = 20 * log10(rms / sqrt(energy / LENGTH));
        if (fabs(got - want) > 0.01)
            fail_msg("step %d: %g dB, expected %g", (int)step, got, want);
        assert_true(b.draws.noise_at + LENGTH <= bank->sample_count);
    }
    end(&b);
}

/* Noise that is heard within the clip alone begins and ends with it, at every speed. */
static void noise_ends_with_the_clip(void **state)
{
    enum { COUNT = 2000 };
    (void)state;
    bench b = begin();
    b.config.shift = 0.1;
    b.config.speed = 1.15;
    b.config.noise = 1;
    b.config.noise_within = 1;
    finish(&b, DV_FEATURES_MEL);
    for (uint64_t step = 0; step < 20; step++) {
        dv_rng rng = at_step(step);
        dv_augment_draw(b.augmenter, &rng, 0, &b.draws);
        for (int i = 0; i < COUNT; i++)
            b.clip[i] = 1e-3F; /* as soft as to be found nowhere in the noise */
        b.draws.noise *= 1e3F;
        dv_augment_window(b.augmenter, &rng, 0, &b.draws, b.clip, COUNT, COUNT / 2, b.window,
                          b.scratch);
        double factor = (double)b.draws.step / 4294967296.0;
        double middle = LENGTH / 2.0 - (double)b.draws.shift, half = COUNT / 2.0 / factor;
        int loud = 0;
        for (int t = 0; t < LENGTH; t++) {
            bool within = fabs(t - middle)<half - 1, without = fabs(t - middle)> half + 20;
            loud += within && fabsf(b.window[t]) > 2e-3F;
            if (without && b.window[t] != 0)
                fail_msg("step %d: %g at %d, outside the clip", (int)step, (double)b.window[t], t);
        }
        assert_in_range(loud, (int)(1.8 * half), (int)(2 * half) + 1);
    }
    end(&b);
}

/* Decibels per octave between 125 and 2000 Hz, of the mean power over many windows. */
static double slope_of(bench *b, const dv_noise_bank *bank, int number)
{
    double power[2] = {0};
    int64_t frames = dv_frontend_frames(b->frontend);
    for (int64_t start = 0; start + LENGTH <= bank->sample_count / bank->count; start += LENGTH) {
        dv_frontend_compute(b->frontend, bank->samples + bank->noises[number].offset + start,
                            b->features, b->features_scratch);
        for (int64_t i = 2 * frames; i < frames - 2 + 2 * frames; i++)
            for (int band = 0; band < 2; band++)
                for (int64_t bin = band == 0 ? 14 : 240; bin < (band == 0 ? 19 : 273); bin++)
                    power[band] += pow(10, 0.1 * (double)b->features[bin * frames + i % frames]) /
                                   (band == 0 ? 5 : 33);
    }
    return 10 * log10(power[1] / power[0]) / 4;
}

static void generated_noises_are_colored(void **state)
{
    (void)state;
    bench b = begin();
    b.config.noise = 1;
    b.config.noise_colors = 5;
    finish(&b, DV_FEATURES_SPECTROGRAM);
    const dv_noise_bank *bank = &dv_augmenter_tables(b.augmenter)->noise;
    assert_int_equal(bank->count, 5);
    for (int i = 0; i < 5; i++) {
        double want = -3.01 * 0.5 * i, got = slope_of(&b, bank, i);
        if (fabs(got - want) > 0.35)
            fail_msg("noise %d: %g dB per octave, expected %g", i, got, want);
    }
    end(&b);
}

/* A click and what the room makes of it. */
static void rooms_reflect(void **state)
{
    (void)state;
    bench b = begin();
    b.config.reverberation = 1;
    finish(&b, DV_FEATURES_MEL);
    enum { AT = 1000 };
    b.clip[LONG / 2 - LENGTH / 2 + AT] = 1;
    double early = 0, late = 0;
    for (uint64_t step = 0; step < 50; step++) {
        make_window(&b, step);
        assert_true(b.window[AT] == 1.0F);
        int64_t end_of_room = AT + b.draws.decay / 2 + 1, middle = AT + b.draws.decay / 4;
        double energy = 0;
        int count = 0;
        for (int t = 0; t < LENGTH; t++) {
            if (t == AT)
                continue;
            double value = (double)b.window[t];
            assert_true(value == 0 || (t > AT && t <= end_of_room));
            count += value != 0;
            energy += value * value;
            *(t < middle ? &early : &late) += value * value;
        }
        assert_true(count >= DV_REFLECTIONS - 2 && count <= DV_REFLECTIONS);
        assert_true(fabs(10 * log10(energy) - 20 * log10((double)b.draws.reflected)) < 0.5);
    }
    /* The energies of the two halves: 15 dB apart. */
    assert_true(fabs(10 * log10(early / late) - 15) < 1.5);
    end(&b);
}

/* Sound before the window is heard in it. */
static void rooms_remember(void **state)
{
    (void)state;
    bench b = begin();
    b.config.reverberation = 1;
    finish(&b, DV_FEATURES_MEL);
    b.clip[LONG / 2 - LENGTH / 2 - 1] = 1;
    make_window(&b, 1);
    double energy = 0;
    for (int t = 0; t < LENGTH; t++)
        energy += (double)b.window[t] * (double)b.window[t];
    assert_true(energy > 0.02);
    end(&b);
}

/* A stretch of the window is 0, as long as was drawn, and all else is as it is without; one longer
   than the window fills it. */
static void gaps_are_silent(void **state)
{
    (void)state;
    bench b = begin();
    b.config.noise = b.config.gap = 1;
    b.config.gap_time[0] = 500;
    b.config.gap_time[1] = 1500;
    finish(&b, DV_FEATURES_MEL);
    tone(&b, 300);
    float *whole = allocated(LENGTH, sizeof *whole);
    int within = 0, full = 0;
    for (uint64_t step = 0; step < 50; step++) {
        dv_rng rng = at_step(step);
        dv_augment_draws heard;
        dv_augment_draw(b.augmenter, &rng, 0, &heard);
        heard.gap = 0;
        dv_augment_window(b.augmenter, &rng, 0, &heard, b.clip, LONG, LONG / 2, whole, b.scratch);
        make_window(&b, step);
        int from = b.draws.gap_at, to = from + b.draws.gap;
        assert_true(b.draws.gap >= RATE / 2 && from >= 0 && to <= LENGTH);
        for (int t = 0; t < LENGTH; t++)
            assert_true(b.window[t] == (t >= from && t < to ? 0.0F : whole[t]));
        full += b.draws.gap == LENGTH;
        within += b.draws.gap < LENGTH;
    }
    assert_true(full > 10 && within > 10);
    free(whole);
    end(&b);
}

/* What is loud is cut to the level drawn, against the RMS of the whole clip, noise and all, and
   what is not is left alone; the gain comes after it. */
static void clipping_cuts_what_is_loud(void **state)
{
    (void)state;
    bench b = begin();
    b.config.gain = 6;
    b.config.noise = 1;
    b.config.clipping = 1;
    b.config.clipping_level[0] = -10;
    b.config.clipping_level[1] = 4;
    finish(&b, DV_FEATURES_MEL);
    tone(&b, 300);
    for (int i = 0; i < LONG / 3; i++)
        b.clip[i] = 0;
    float *whole = allocated(LENGTH, sizeof *whole);
    double rms = 0.5 * sqrt(0.5 * 2 / 3), least = 1e9, most = -1e9;
    for (uint64_t step = 0; step < 50; step++) {
        dv_rng rng = at_step(step);
        dv_augment_draws loud;
        dv_augment_draw(b.augmenter, &rng, 0, &loud);
        loud.clipping = 0;
        dv_augment_window(b.augmenter, &rng, 0, &loud, b.clip, LONG, LONG / 2, whole, b.scratch);
        make_window(&b, step);
        double level = (double)b.draws.clipping * rms * (double)b.draws.gain;
        double decibels = 20 * log10((double)b.draws.clipping);
        least = decibels < least ? decibels : least;
        most = decibels > most ? decibels : most;
        int cut = 0;
        for (int t = 0; t < LENGTH; t++) {
            double want = fmax(-level, fmin(level, (double)whole[t]));
            cut += fabs((double)whole[t]) > level;
            if (fabs((double)b.window[t] - want) > 1e-3 * level)
                fail_msg("step %d, sample %d: %g of %g, expected %g", (int)step, t,
                         (double)b.window[t], (double)whole[t], want);
        }
        assert_in_range(cut, 1, LENGTH - 1);
    }
    assert_true(least > -10.1 && least < -8 && most < 4.1 && most > 2);
    free(whole);
    end(&b);
}

/* ---- Spectra ---- */

static void telephones_cut_the_band(void **state)
{
    (void)state;
    static const struct {
        double hz, gain, tolerance;
    } points[] = {{46.875, -64.5, 0.2}, {300, -3, 0.3},  {1000, 0, 0.1},
                  {2500, 0, 0.3},       {3400, -3, 0.3}, {3900, -12.2, 0.3}};
    bench b = begin();
    b.config.telephone = 1;
    finish(&b, DV_FEATURES_SPECTROGRAM);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        int64_t bin = llround(points[i].hz / RATE * 1024);
        tone(&b, (double)bin * RATE / 1024);
        make_window(&b, 0);
        make_features(&b);
        double changed = level_at(&b, bin);
        dv_frontend_compute(b.frontend, b.window, b.features, b.features_scratch);
        double gain = changed - level_at(&b, bin);
        if (fabs(gain - points[i].gain) > points[i].tolerance)
            fail_msg("%g Hz: %g dB, expected %g", points[i].hz, gain, points[i].gain);
    }
    end(&b);
}

static void equalizers_go_through_their_knots(void **state)
{
    (void)state;
    bench b = begin();
    b.config.equalizer = 6;
    finish(&b, DV_FEATURES_SPECTROGRAM);
    dv_spectral_change change;
    make_window(&b, 3);
    dv_augment_spectrum(b.augmenter, &b.draws, &change, b.scratch);
    assert_null(change.positions);
    for (int bin = 0; bin <= 512; bin++) {
        double place = 6.0 * bin / 512;
        int below = bin == 512 ? 5 : (int)place;
        double part = place - below;
        double low = (double)b.draws.knots[below], high = (double)b.draws.knots[below + 1];
        double want = exp2(low + part * (high - low));
        assert_true(fabs((double)change.gains[bin] / want - 1) < 1e-5);
    }
    assert_true(b.draws.knots[2] != b.draws.knots[3]);
    end(&b);
}

static void warps_move_a_tone(void **state)
{
    (void)state;
    bench b = begin();
    b.config.warp = 1.1;
    finish(&b, DV_FEATURES_SPECTROGRAM);
    for (uint64_t step = 0; step < 20; step++) {
        int64_t bin = 60 + 15 * (int64_t)step;
        tone(&b, (double)bin * RATE / 1024);
        make_window(&b, step);
        make_features(&b);
        int64_t largest = 0;
        for (int64_t i = 0; i <= 512; i++)
            largest = level_at(&b, i) > level_at(&b, largest) ? i : largest;
        double want = (double)bin / (double)b.draws.warp;
        if (fabs((double)largest - want) > 1.0)
            fail_msg("bin %d by %g: %d, expected %g", (int)bin, (double)b.draws.warp, (int)largest,
                     want);
    }
    end(&b);
}

/* The whole band stays the whole band, without a step or a turn back. */
static void warps_keep_the_band(void **state)
{
    (void)state;
    for (double factor = 0.7; factor < 1.5; factor += 0.01) {
        float before = -1;
        for (int bin = 0; bin <= 512; bin++) {
            float place = dv_augment_warped_bin((float)bin, 512, (float)factor);
            assert_true(place > before && place - before < 3.0F && place <= 512.001F);
            before = place;
        }
        assert_true(dv_augment_warped_bin(0, 512, (float)factor) == 0);
        assert_true(fabsf(before - 512) < 0.01F);
    }
}

/* ---- Features and targets ---- */

static void masks_are_as_wide_as_they_may(void **state)
{
    (void)state;
    enum { WIDTH = 6, DRAWS = 3000 };
    bench b = begin();
    b.config.frequency_masks = 1;
    b.config.frequency_width = WIDTH;
    finish(&b, DV_FEATURES_MEL);
    int64_t rows = dv_frontend_rows(b.frontend), frames = dv_frontend_frames(b.frontend);
    int widths[WIDTH + 1] = {0}, covered[1024] = {0};
    for (uint32_t place = 0; place < DRAWS; place++) {
        dv_rng rng = at_step(2);
        for (int64_t i = 0; i < rows * frames; i++)
            b.features[i] = 1;
        dv_augment_mask_features(b.augmenter, &rng, place, b.features);
        int width = 0, edges = 0;
        for (int64_t row = 0; row < rows; row++) {
            bool masked = b.features[row * frames] == 0;
            bool above = row > 0 && b.features[(row - 1) * frames] == 0;
            for (int64_t frame = 0; frame < frames; frame++)
                assert_true((b.features[row * frames + frame] == 0) == masked);
            width += masked;
            edges += masked && !above;
            covered[row] += masked;
        }
        assert_true(width <= WIDTH && edges == (width > 0));
        widths[width]++;
    }
    for (int i = 0; i <= WIDTH; i++)
        assert_true(abs(widths[i] - DRAWS / (WIDTH + 1)) < 5 * 20);
    assert_true(covered[0] > 0 && covered[rows - 1] > 0);
    end(&b);
}

static void masks_cover_frames(void **state)
{
    (void)state;
    bench b = begin();
    b.config.time_masks = 2;
    b.config.time_width = 4;
    finish(&b, DV_FEATURES_MEL);
    int64_t rows = dv_frontend_rows(b.frontend), frames = dv_frontend_frames(b.frontend);
    int most = 0;
    for (uint32_t place = 0; place < 500; place++) {
        dv_rng rng = at_step(2);
        for (int64_t i = 0; i < rows * frames; i++)
            b.features[i] = 1;
        dv_augment_mask_features(b.augmenter, &rng, place, b.features);
        int width = 0;
        for (int64_t frame = 0; frame < frames; frame++) {
            bool masked = b.features[frame] == 0;
            for (int64_t row = 0; row < rows; row++)
                assert_true((b.features[row * frames + frame] == 0) == masked);
            width += masked;
        }
        most = width > most ? width : most;
        assert_true(width <= 8);
    }
    assert_int_equal(most, 8);
    end(&b);
}

static void mixup_mixes_features_and_targets(void **state)
{
    (void)state;
    enum { COUNT = 5, CLASSES = 4, SIZE = 3 };
    bench b = begin();
    b.config.mixup = 0.7;
    finish(&b, DV_FEATURES_MEL);
    dv_rng rng = at_step(9);
    float targets[COUNT * CLASSES] = {0}, values[COUNT * SIZE];
    for (int i = 0; i < COUNT; i++)
        targets[i * CLASSES + i % CLASSES] = 1;
    for (int i = 0; i < COUNT * SIZE; i++)
        values[i] = (float)i;
    dv_augment_mix(b.augmenter, &rng, COUNT, CLASSES, targets);
    dv_augment_mix(b.augmenter, &rng, COUNT, SIZE, values);
    for (int i = 0; i < COUNT; i++) {
        int other = i == COUNT - 1 ? i : i ^ 1;
        dv_augment_draws draws;
        dv_augment_draw(b.augmenter, &rng, (uint32_t)i, &draws);
        float share = i == other ? 1 : draws.share;
        float sum = 0;
        for (int k = 0; k < CLASSES; k++)
            sum += targets[i * CLASSES + k];
        assert_true(fabsf(sum - 1) < 1e-6F);
        assert_true(fabsf(targets[i * CLASSES + i % CLASSES] - share) < 1e-6F);
        for (int k = 0; k < SIZE; k++) {
            float want = share * (float)(i * SIZE + k) + (1 - share) * (float)(other * SIZE + k);
            assert_true(fabsf(values[i * SIZE + k] - want) < 1e-4F);
        }
    }
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speed_changes_a_tone),
        cmocka_unit_test(speed_folds_nothing),
        cmocka_unit_test(speed_keeps_the_centre),
        cmocka_unit_test(noise_has_the_ratio_drawn),
        cmocka_unit_test(noise_ends_with_the_clip),
        cmocka_unit_test(generated_noises_are_colored),
        cmocka_unit_test(rooms_reflect),
        cmocka_unit_test(rooms_remember),
        cmocka_unit_test(clipping_cuts_what_is_loud),
        cmocka_unit_test(gaps_are_silent),
        cmocka_unit_test(telephones_cut_the_band),
        cmocka_unit_test(equalizers_go_through_their_knots),
        cmocka_unit_test(warps_move_a_tone),
        cmocka_unit_test(warps_keep_the_band),
        cmocka_unit_test(masks_are_as_wide_as_they_may),
        cmocka_unit_test(masks_cover_frames),
        cmocka_unit_test(mixup_mixes_features_and_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
