/* Effects of augmentation on spectra, features and targets. */
#include "tests/support/augment_bench.h"

#include <math.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The decibels of a bin in the middle of a spectrogram's window. */
static double level_at(const bench *b, int64_t bin)
{
    int64_t frames = dv_frontend_frames(b->frontend);
    return (double)b->features[bin * frames + frames / 2];
}

/* ---- Spectra ---- */

static void telephones_cut_the_band(void **state)
{
    (void)state;
    static const struct {
        double hz, gain, tolerance;
    } points[] = {{46.875, -64.5, 0.2}, {300, -3, 0.3},  {1000, 0, 0.1},
                  {2500, 0, 0.3},       {3400, -3, 0.3}, {3900, -12.2, 0.3}};
    bench b = bench_begin();
    b.config.telephone = 1;
    bench_finish(&b, DV_FEATURES_SPECTROGRAM);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        int64_t bin = llround(points[i].hz / RATE * 1024);
        bench_tone(&b, (double)bin * RATE / 1024);
        bench_window(&b, 0);
        bench_features(&b);
        double changed = level_at(&b, bin);
        dv_frontend_compute(b.frontend, b.window, b.features, b.features_scratch);
        double gain = changed - level_at(&b, bin);
        if (fabs(gain - points[i].gain) > points[i].tolerance)
            fail_msg("%g Hz: %g dB, expected %g", points[i].hz, gain, points[i].gain);
    }
    bench_end(&b);
}

static void equalizers_go_through_their_knots(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.equalizer = 6;
    bench_finish(&b, DV_FEATURES_SPECTROGRAM);
    dv_spectral_change change;
    bench_window(&b, 3);
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
    bench_end(&b);
}

static void warps_move_a_tone(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.warp = 1.1;
    bench_finish(&b, DV_FEATURES_SPECTROGRAM);
    for (uint64_t step = 0; step < 20; step++) {
        int64_t bin = 60 + 15 * (int64_t)step;
        bench_tone(&b, (double)bin * RATE / 1024);
        bench_window(&b, step);
        bench_features(&b);
        int64_t largest = 0;
        for (int64_t i = 0; i <= 512; i++)
            largest = level_at(&b, i) > level_at(&b, largest) ? i : largest;
        double want = (double)bin / (double)b.draws.warp;
        if (fabs((double)largest - want) > 1.0)
            fail_msg("bin %d by %g: %d, expected %g", (int)bin, (double)b.draws.warp, (int)largest,
                     want);
    }
    bench_end(&b);
}

/* A warp maps the whole band to the whole band, without a jump or a turn back. */
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
    bench b = bench_begin();
    b.config.frequency_masks = 1;
    b.config.frequency_width = WIDTH;
    bench_finish(&b, DV_FEATURES_MEL);
    int64_t rows = dv_frontend_rows(b.frontend), frames = dv_frontend_frames(b.frontend);
    int widths[WIDTH + 1] = {0}, covered[1024] = {0};
    for (uint32_t place = 0; place < DRAWS; place++) {
        dv_rng rng = bench_rng(2);
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
    bench_end(&b);
}

static void masks_cover_frames(void **state)
{
    (void)state;
    bench b = bench_begin();
    b.config.time_masks = 2;
    b.config.time_width = 4;
    bench_finish(&b, DV_FEATURES_MEL);
    int64_t rows = dv_frontend_rows(b.frontend), frames = dv_frontend_frames(b.frontend);
    int most = 0;
    for (uint32_t place = 0; place < 500; place++) {
        dv_rng rng = bench_rng(2);
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
    bench_end(&b);
}

static void mixup_mixes_features_and_targets(void **state)
{
    (void)state;
    enum { COUNT = 5, CLASSES = 4, SIZE = 3 };
    bench b = bench_begin();
    b.config.mixup = 0.7;
    bench_finish(&b, DV_FEATURES_MEL);
    dv_rng rng = bench_rng(9);
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
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
