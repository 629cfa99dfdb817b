/* Effects of augmentation on sound. */
#include "tests/support/augment_bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The amplitude of a frequency. *rest becomes that of everything else. */
static double amplitude_of(const float *window, double hz, double *rest)
{
    double cosine = 0, sine = 0, energy = 0;
    for (int t = 0; t < LENGTH; t++) {
        double weight = 1 - cos(2 * pi * (t + 0.5) / LENGTH); /* a Hann window of mean 1 */
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
    bench b = bench_begin();
    b.config.speed = 1.15;
    bench_finish(&b, DV_FEATURES_MEL);
    for (uint64_t step = 0; step < 20; step++) {
        double hz = tones[step % 4], rest;
        bench_tone(&b, hz);
        bench_window(&b, step);
        double factor = (double)b.draws.step / 4294967296.0;
        double got = amplitude_of(b.window, hz * factor, &rest);
        if (fabs(got - 0.5) > 0.005 || rest > 0.5 * 4e-3)
            fail_msg("%g Hz at %g: amplitude %g, rest %g", hz, factor, got, rest);
    }
    bench_end(&b);
}

/* Tones that would lie above half the rate are not folded below it. */
static void speed_folds_nothing(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.speed = 2;
    bench_finish(&b, DV_FEATURES_MEL);
    int checked = 0;
    for (uint64_t step = 0; step < 60; step++) {
        double hz = 3400;
        bench_tone(&b, hz);
        bench_window(&b, step);
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
    bench_end(&b);
}

/* A click at the clip's centre stays there at any speed, and so does a word. */
static void speed_keeps_the_centre(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.speed = 1.5;
    bench_finish(&b, DV_FEATURES_MEL);
    b.clip[LONG / 2] = 1;
    for (uint64_t step = 0; step < 10; step++) {
        bench_window(&b, step);
        int largest = 0;
        for (int t = 0; t < LENGTH; t++)
            largest = b.window[t] > b.window[largest] ? t : largest;
        assert_int_equal(largest, LENGTH / 2);
    }
    bench_end(&b);
}

static void noise_has_the_ratio_drawn(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.noise = 1;
    b.config.noise_snr[0] = -5;
    b.config.noise_snr[1] = 30;
    bench_finish(&b, DV_FEATURES_MEL);
    bench_tone(&b, 300);
    for (int i = 0; i < LONG / 3; i++)
        b.clip[i] = 0; /* the noise follows the RMS of the whole clip */
    double rms = (double)dv_augment_rms(b.clip, LONG);
    assert_true(fabs(rms - 0.5 * sqrt(0.5 * 2 / 3)) < 1e-3);
    const dv_noise_bank *bank = &dv_augmenter_tables(b.augmenter)->noise;
    for (uint64_t step = 0; step < 20; step++) {
        uint32_t words[4];
        dv_rng rng = bench_rng(step);
        bench_window(&b, step);
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
    bench_end(&b);
}

/* Noise limited to the clip begins and ends with it, at every speed. */
static void noise_ends_with_the_clip(void **state)
{
    enum { COUNT = 2000 };
    (void)state;
    bench b = bench_begin();
    b.config.shift = 0.1;
    b.config.speed = 1.15;
    b.config.noise = 1;
    b.config.noise_within = 1;
    bench_finish(&b, DV_FEATURES_MEL);
    for (uint64_t step = 0; step < 20; step++) {
        dv_rng rng = bench_rng(step);
        dv_augment_draw(b.augmenter, &rng, 0, &b.draws);
        for (int i = 0; i < COUNT; i++)
            b.clip[i] = 1e-3F; /* far softer than the noise */
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
    bench_end(&b);
}

/* The slope of a noise's mean power over many windows, in decibels per octave between 125 and
   2000 Hz. */
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
    bench b = bench_begin();
    b.config.noise = 1;
    b.config.noise_colors = 5;
    bench_finish(&b, DV_FEATURES_SPECTROGRAM);
    const dv_noise_bank *bank = &dv_augmenter_tables(b.augmenter)->noise;
    assert_int_equal(bank->count, 5);
    for (int i = 0; i < 5; i++) {
        double want = -3.01 * 0.5 * i, got = slope_of(&b, bank, i);
        if (fabs(got - want) > 0.35)
            fail_msg("noise %d: %g dB per octave, expected %g", i, got, want);
    }
    bench_end(&b);
}

/* A room turns a click into its response. */
static void rooms_reflect(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.reverberation = 1;
    bench_finish(&b, DV_FEATURES_MEL);
    enum { AT = 1000 };
    b.clip[LONG / 2 - LENGTH / 2 + AT] = 1;
    double early = 0, late = 0;
    for (uint64_t step = 0; step < 50; step++) {
        bench_window(&b, step);
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
    /* The energies of the two halves are 15 dB apart. */
    assert_true(fabs(10 * log10(early / late) - 15) < 1.5);
    bench_end(&b);
}

/* The reverberation of sound before the window is heard in it. */
static void rooms_remember(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.reverberation = 1;
    bench_finish(&b, DV_FEATURES_MEL);
    b.clip[LONG / 2 - LENGTH / 2 - 1] = 1;
    bench_window(&b, 1);
    double energy = 0;
    for (int t = 0; t < LENGTH; t++)
        energy += (double)b.window[t] * (double)b.window[t];
    assert_true(energy > 0.02);
    bench_end(&b);
}

/* A gap of the drawn length is 0 and the rest of the window is unchanged. A gap longer than the
   window fills it. */
static void gaps_are_silent(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.noise = b.config.gap = 1;
    b.config.gap_time[0] = 500;
    b.config.gap_time[1] = 1500;
    bench_finish(&b, DV_FEATURES_MEL);
    bench_tone(&b, 300);
    float *whole = allocated(LENGTH, sizeof *whole);
    int within = 0, full = 0;
    for (uint64_t step = 0; step < 50; step++) {
        dv_rng rng = bench_rng(step);
        dv_augment_draws heard;
        dv_augment_draw(b.augmenter, &rng, 0, &heard);
        heard.gap = 0;
        dv_augment_window(b.augmenter, &rng, 0, &heard, b.clip, LONG, LONG / 2, whole, b.scratch);
        bench_window(&b, step);
        int from = b.draws.gap_at, to = from + b.draws.gap;
        assert_true(b.draws.gap >= RATE / 2 && from >= 0 && to <= LENGTH);
        for (int t = 0; t < LENGTH; t++)
            assert_true(b.window[t] == (t >= from && t < to ? 0.0F : whole[t]));
        full += b.draws.gap == LENGTH;
        within += b.draws.gap < LENGTH;
    }
    assert_true(full > 10 && within > 10);
    free(whole);
    bench_end(&b);
}

/* Loud samples are cut to the drawn level, relative to the RMS of the whole clip with its noise.
   Others are unchanged. The gain is applied afterwards. */
static void clipping_cuts_what_is_loud(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.gain = 6;
    b.config.noise = 1;
    b.config.clipping = 1;
    b.config.clipping_level[0] = -10;
    b.config.clipping_level[1] = 4;
    bench_finish(&b, DV_FEATURES_MEL);
    bench_tone(&b, 300);
    for (int i = 0; i < LONG / 3; i++)
        b.clip[i] = 0;
    float *whole = allocated(LENGTH, sizeof *whole);
    double rms = 0.5 * sqrt(0.5 * 2 / 3), least = 1e9, most = -1e9;
    for (uint64_t step = 0; step < 50; step++) {
        dv_rng rng = bench_rng(step);
        dv_augment_draws loud;
        dv_augment_draw(b.augmenter, &rng, 0, &loud);
        loud.clipping = 0;
        dv_augment_window(b.augmenter, &rng, 0, &loud, b.clip, LONG, LONG / 2, whole, b.scratch);
        bench_window(&b, step);
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
    bench_end(&b);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
