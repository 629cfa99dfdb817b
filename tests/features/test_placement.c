#include "frontends/audio/audio.h"
#include "frontends/features/features.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RATE = 8000, WORD = 3200, SECOND = RATE };

static dv_frontend *frontend_of(int placement, int level, double seconds)
{
    dv_features_config config;
    dv_frontend *frontend = NULL;
    assert_int_equal(dv_fields_default(dv_features_fields, &config), DV_OK);
    config.placement = placement;
    config.level = level;
    config.duration = seconds;
    assert_int_equal(dv_frontend_create(&config, &frontend), DV_OK);
    return frontend;
}

static dv_frontend *frontend_with(int placement, int level)
{
    return frontend_of(placement, level, 1);
}

/* Makes `count` samples of hiss with a word of 0.4 s (a tone that swells and fades) at `start`. */
static float *clip_with_word(int64_t count, int64_t start, double hiss)
{
    float *samples = calloc((size_t)count, sizeof *samples);
    assert_non_null(samples);
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525U + 1013904223U;
        samples[i] = (float)(hiss * ((double)state / 2147483648.0 - 1.0));
        double phase = (double)(i - start) / WORD;
        if (phase >= 0 && phase < 1)
            samples[i] += (float)(0.3 * sin(acos(-1.0) * phase) * sin((double)(i - start) * 0.5));
    }
    return samples;
}

static int64_t centre_of(const dv_frontend *frontend, int64_t count, int64_t start, double hiss)
{
    float *samples = clip_with_word(count, start, hiss);
    int64_t centre = dv_frontend_prepare(frontend, samples, count);
    free(samples);
    return centre;
}

static double rms_of(const float *samples, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)samples[i] * (double)samples[i];
    return sqrt(sum / (double)count);
}

static void test_centre_is_on_the_word(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    int64_t centre = centre_of(frontend, SECOND, 1000, 0);
    assert_in_range(centre, 1000 + WORD / 2 - 20, 1000 + WORD / 2 + 20);
    centre = centre_of(frontend, SECOND, 4500, 0.01);
    assert_in_range(centre, 4500 + WORD / 2 - 80, 4500 + WORD / 2 + 80);
    dv_frontend_free(frontend);
}

/* The centre moves exactly for whole frames (80 samples), and else to a fraction of a frame. */
static void test_centre_moves_with_the_word(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    int64_t centre = centre_of(frontend, 3 * SECOND, 4000, 0);
    assert_int_equal(centre_of(frontend, 3 * SECOND, 4000 + 80 * 100, 0), centre + 80 * 100);
    for (int64_t k = -2017; k < 12000; k += 1009) {
        int64_t moved = centre_of(frontend, 3 * SECOND, 4000 + k, 0);
        assert_in_range(moved, centre + k - 10, centre + k + 10);
    }
    dv_frontend_free(frontend);
}

/* A click far from the word weighs little, and the level of the clip does not matter. */
static void test_centre_ignores_clicks_and_level(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_NONE);
    int64_t centre = centre_of(frontend, SECOND, 1000, 0.001);
    float *samples = clip_with_word(SECOND, 1000, 0.001);
    samples[7500] += 1;
    int64_t clicked = dv_frontend_prepare(frontend, samples, SECOND);
    assert_in_range(clicked, centre - 100, centre + 100);
    free(samples);
    samples = clip_with_word(SECOND, 1000, 0.001);
    for (int64_t i = 0; i < SECOND; i++)
        samples[i] = samples[i] / 64 + 0.25F;
    int64_t quiet = dv_frontend_prepare(frontend, samples, SECOND);
    assert_in_range(quiet, centre - 2, centre + 2);
    free(samples);
    dv_frontend_free(frontend);
}

/*
 * Two tones of 0.4 s weigh by the gain of the high-pass x[t] - 0.5 x[t - 1], which is
 * sqrt(1.25 - cos(2 pi f / rate)): hum counts a third of hiss.
 */
static void test_high_pass(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_of(DV_PLACE_ENERGY, DV_LEVEL_NONE, 3);
    float *samples = calloc(3 * SECOND, sizeof *samples);
    assert_non_null(samples);
    double low = 2 * acos(-1.0) * 100 / RATE;
    double high = 2 * acos(-1.0) * 3500 / RATE;
    for (int64_t i = 0; i < WORD; i++) {
        samples[2400 + i] = 0.3F * (float)sin(low * (double)i);
        samples[14400 + i] = 0.3F * (float)sin(high * (double)i);
    }
    double low_weight = sqrt(1.25 - cos(low));
    double high_weight = sqrt(1.25 - cos(high));
    int64_t expected =
        llround((4000 * low_weight + 16000 * high_weight) / (low_weight + high_weight));
    int64_t centre = dv_frontend_prepare(frontend, samples, 3 * SECOND);
    assert_in_range(centre, expected - 60, expected + 60);
    free(samples);
    dv_frontend_free(frontend);
}

/* Clips of a few frames, down to one sample. */
static void test_short_clips(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    float one = 0.5F;
    assert_int_equal(dv_frontend_prepare(frontend, &one, 1), 0);
    assert_true(one == 0);
    float two[2] = {0.5F, -0.5F};
    assert_in_range(dv_frontend_prepare(frontend, two, 2), 0, 1);
    for (int64_t count = 3; count < 900; count += 7) {
        float *samples = clip_with_word(count, -1000, 0.01);
        int64_t centre = dv_frontend_prepare(frontend, samples, count);
        assert_in_range(centre, count / 3, 1 + 2 * count / 3);
        free(samples);
    }
    dv_frontend_free(frontend);
}

static void test_a_click_alone_is_found(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_PEAK);
    float *samples = calloc(SECOND, sizeof *samples);
    assert_non_null(samples);
    samples[6000] = 1;
    assert_in_range(dv_frontend_prepare(frontend, samples, SECOND), 6000 - 100, 6000 + 100);
    free(samples);
    dv_frontend_free(frontend);
}

static void test_silence(void **state)
{
    (void)state;
    static const float constants[] = {0.0F, 0.1F, -0.75F};
    for (int level = DV_LEVEL_NONE; level <= DV_LEVEL_RMS; level++) {
        dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, level);
        for (int c = 0; c < 3; c++) {
            float *samples = calloc(5001, sizeof *samples);
            assert_non_null(samples);
            for (int i = 0; i < 5001; i++)
                samples[i] = constants[c];
            int64_t centre = dv_frontend_prepare(frontend, samples, 5001);
            assert_in_range(centre, 0, 5000);
            assert_true(centre == 2500 || constants[c] != 0.0F);
            assert_true(rms_of(samples, 5001) < 1e-7);
            free(samples);
        }
        dv_frontend_free(frontend);
    }
}

/* A clip of 100 s has more frames than the envelope holds, so it gets fewer and longer ones. */
static void test_very_long_clip(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    for (int64_t start = 0; start < 99 * RATE; start += 8009) {
        int64_t centre = centre_of(frontend, 100 * RATE, start, 0.01);
        assert_in_range(centre, start + WORD / 2 - 400, start + WORD / 2 + 400);
    }
    dv_frontend_free(frontend);
}

/* Seconds of noise after the word, a quarter as loud, do not attract the window. */
static void test_loudest_stretch(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    float *samples = clip_with_word(5 * SECOND, 1000, 0.001);
    for (int64_t i = 2 * SECOND; i < 5 * SECOND; i++)
        samples[i] *= 30;
    int64_t centre = dv_frontend_prepare(frontend, samples, 5 * SECOND);
    assert_in_range(centre, 1000 + WORD / 2 - 80, 1000 + WORD / 2 + 80);
    free(samples);
    dv_frontend_free(frontend);
}

/* A clip that fits into the window is its own loudest stretch, so a second event at its end counts.
   In a longer clip the end does not count fully. */
static void test_whole_of_a_short_clip(void **state)
{
    (void)state;
    for (int64_t count = SECOND; count <= SECOND + 800; count += 800) {
        dv_frontend *second = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
        dv_frontend *longer = frontend_of(DV_PLACE_ENERGY, DV_LEVEL_RMS, 3);
        float *samples = clip_with_word(count, 0, 0);
        for (int64_t i = 0; i < 1600; i++)
            samples[count - 1600 + i] = 0.5F * samples[i];
        int64_t whole = dv_frontend_prepare(longer, samples, count);
        int64_t found = dv_frontend_prepare(second, samples, count);
        if (count == SECOND)
            assert_int_equal(found, whole);
        else
            assert_in_range(found, WORD / 2, whole - 1);
        free(samples);
        dv_frontend_free(second);
        dv_frontend_free(longer);
    }
}

static void test_middle_and_start(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_MIDDLE, DV_LEVEL_RMS);
    assert_int_equal(centre_of(frontend, 5001, 300, 0), 2500);
    dv_frontend_free(frontend);
    frontend = frontend_with(DV_PLACE_START, DV_LEVEL_RMS);
    assert_int_equal(centre_of(frontend, 300, 0, 0), SECOND / 2);
    assert_int_equal(centre_of(frontend, 20000, 300, 0), SECOND / 2);
    dv_frontend_free(frontend);
}

static void test_levels(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_PEAK);
    float *samples = clip_with_word(SECOND, 100, 0.001);
    dv_frontend_prepare(frontend, samples, SECOND);
    float peak = 0;
    for (int64_t i = 0; i < SECOND; i++)
        peak = fmaxf(peak, fabsf(samples[i]));
    assert_true(fabsf(peak - 1) < 1e-6F);
    free(samples);
    dv_frontend_free(frontend);

    /* A steady tone fills its frames, so the RMS of the loud part is the tone's. */
    frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    samples = calloc(SECOND, sizeof *samples);
    assert_non_null(samples);
    for (int64_t i = 0; i < SECOND; i++)
        samples[i] = 0.7F * (float)sin((double)i * 2 * acos(-1.0) / 20) + 0.2F;
    dv_frontend_prepare(frontend, samples, SECOND);
    assert_true(fabs(rms_of(samples, SECOND) - 0.1) < 1e-4);
    free(samples);
    dv_frontend_free(frontend);
}

/* The level of a word does not depend on the silence around it. */
static void test_rms_ignores_silence(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    float *small = clip_with_word(4000, 400, 0);
    float *large = clip_with_word(24000, 400, 0);
    dv_frontend_prepare(frontend, small, 4000);
    dv_frontend_prepare(frontend, large, 24000);
    for (int64_t i = 0; i < 4000; i++)
        assert_true(fabsf(small[i] - large[i]) < 1e-3F);
    assert_true(rms_of(small, 4000) > 0.05);
    free(small);
    free(large);
    dv_frontend_free(frontend);
}

/* Compares the window around `center` + `shift` of a clip 1, 2, 3, ... with its definition. */
static void check_cut(const dv_frontend *frontend, int64_t count, int64_t center, int64_t shift)
{
    int64_t size = dv_frontend_samples(frontend);
    float *samples = calloc((size_t)count, sizeof *samples);
    float *window = calloc((size_t)size + 2, sizeof *window);
    assert_non_null(samples);
    assert_non_null(window);
    for (int64_t i = 0; i < count; i++)
        samples[i] = (float)(i + 1);
    for (int64_t i = 0; i < size + 2; i++)
        window[i] = NAN;
    dv_frontend_cut(frontend, samples, count, center, shift, 0.5F, window + 1);
    int64_t from, to, seen = 0;
    dv_frontend_seen(frontend, count, center, shift, &from, &to);
    assert_true(from >= 0 && to <= count);
    for (int64_t i = 0; i < size; i++) {
        int64_t at = center + shift - size / 2 + i;
        assert_true((at >= from && at < to) == (at >= 0 && at < count));
        seen += at >= 0 && at < count;
        float expected = at >= 0 && at < count ? 0.5F * (float)(at + 1) : 0;
        assert_true(window[1 + i] == expected);
    }
    assert_int_equal(to - from, seen);
    assert_true(isnan(window[0]) && isnan(window[size + 1]));
    free(samples);
    free(window);
}

static void test_cut(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_NONE);
    check_cut(frontend, 8000, 4000, 0);
    check_cut(frontend, 8000, 4000, 800);
    check_cut(frontend, 8000, 4000, -800);
    check_cut(frontend, 1, 0, 0);
    check_cut(frontend, 100, 99, 0);
    check_cut(frontend, 20000, 10000, 0);
    check_cut(frontend, 20000, 0, 0);
    check_cut(frontend, 20000, 19999, 0);
    check_cut(frontend, 8000, 4000, 8000);
    check_cut(frontend, 8000, 4000, -8000);
    check_cut(frontend, 8000, 4000, 1000000);
    check_cut(frontend, 8000, 4000, -1000000);
    dv_frontend_free(frontend);
}

/* The model's input does not depend on the place of the word in a longer recording. */
static void test_placement_undoes_a_move(void **state)
{
    (void)state;
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    float *early = clip_with_word(2 * SECOND, 80 * 20, 0);
    float *late = clip_with_word(2 * SECOND, 80 * 120, 0);
    float windows[2][SECOND];
    int64_t centre = dv_frontend_prepare(frontend, early, 2 * SECOND);
    dv_frontend_cut(frontend, early, 2 * SECOND, centre, 0, 1, windows[0]);
    centre = dv_frontend_prepare(frontend, late, 2 * SECOND);
    dv_frontend_cut(frontend, late, 2 * SECOND, centre, 0, 1, windows[1]);
    for (int64_t i = 0; i < SECOND; i++)
        assert_true(fabsf(windows[0][i] - windows[1][i]) < 1e-5F);
    free(early);
    free(late);
    dv_frontend_free(frontend);
}

static bool read_data(const char *name, dv_audio *audio)
{
    const char *folder = getenv("DECAVOX_DATA") != NULL ? getenv("DECAVOX_DATA") : "../shared/data";
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there (set DECAVOX_DATA)\n", path);
        return false;
    }
    assert_int_equal(dv_audio_read(path, RATE, 120, NULL, audio), DV_OK);
    return true;
}

/* The centre of the word in `audio`, `before` samples after the beginning of a recording of `count`
   samples with `noise` times `level` everywhere. */
static int64_t centre_within(const dv_frontend *frontend, const dv_audio *audio, int64_t before,
                             int64_t count, const float *noise, float level)
{
    float *samples = calloc((size_t)count, sizeof *samples);
    assert_non_null(samples);
    memcpy(samples + before, audio->samples, (size_t)audio->count * sizeof *samples);
    for (int64_t i = 0; i < count; i++)
        samples[i] += level * noise[i];
    int64_t centre = dv_frontend_prepare(frontend, samples, count) - before;
    free(samples);
    return centre;
}

/* The noise around a word, 20 dB below it, and the samples by which it may move the window. Noise
   that comes and goes may move it by 0.1 s, for which models are trained. */
typedef struct surrounding {
    const char *noise;
    int64_t seconds, moves;
} surrounding;

static bool check_surrounded(const dv_frontend *frontend, const char *word, const surrounding *by)
{
    dv_audio noise;
    dv_audio audio;
    if (!read_data(by->noise, &noise))
        return false;
    bool there = read_data(word, &audio);
    if (there) {
        int64_t count = audio.count, length = by->seconds * SECOND;
        double level = 0.1 * rms_of(audio.samples, count) / rms_of(noise.samples, noise.count);
        assert_true(noise.count >= length);
        int64_t centre = centre_within(frontend, &audio, 0, count, noise.samples, 0);
        assert_in_range(centre, count / 5, count * 4 / 5);
        int64_t moved = centre_within(frontend, &audio, SECOND, count + SECOND, noise.samples, 0);
        assert_in_range(moved, centre - 320, centre + 320);
        for (int64_t before = 0; before < length; before += SECOND) {
            moved = centre_within(frontend, &audio, before, length, noise.samples, (float)level);
            assert_in_range(moved, centre - by->moves, centre + by->moves);
        }
        dv_audio_free(&audio);
    }
    dv_audio_free(&noise);
    return there;
}

/* Real recordings keep their windows with a second of silence before them and in noise. */
static void test_real_recordings(void **state)
{
    (void)state;
    static const surrounding cases[] = {{"noise/running_tap.flac", 4, 480},
                                        {"noise/doing_the_dishes.flac", 10, 800}};
    dv_frontend *frontend = frontend_with(DV_PLACE_ENERGY, DV_LEVEL_RMS);
    bool there = true;
    for (int i = 0; there && i < 20; i++) {
        char word[64];
        snprintf(word, sizeof word, "fsdd/%d_jackson_3.wav", i % 10);
        there = check_surrounded(frontend, word, &cases[i / 10]);
    }
    dv_frontend_free(frontend);
    if (!there)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_centre_is_on_the_word),
        cmocka_unit_test(test_centre_moves_with_the_word),
        cmocka_unit_test(test_centre_ignores_clicks_and_level),
        cmocka_unit_test(test_high_pass),
        cmocka_unit_test(test_short_clips),
        cmocka_unit_test(test_a_click_alone_is_found),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_very_long_clip),
        cmocka_unit_test(test_loudest_stretch),
        cmocka_unit_test(test_whole_of_a_short_clip),
        cmocka_unit_test(test_middle_and_start),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_rms_ignores_silence),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_placement_undoes_a_move),
        cmocka_unit_test(test_real_recordings),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
