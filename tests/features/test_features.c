#include "frontends/features/features.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 64 }; /* floats on both sides of the fast form's output */

static dv_features_config defaults(void)
{
    dv_features_config config;
    assert_int_equal(dv_fields_default(dv_features_fields, &config), DV_OK);
    return config;
}

static dv_features_config plain(int type)
{
    dv_features_config config = defaults();
    config.type = type;
    config.mean = DV_OVER_NONE;
    config.deviation = DV_OVER_NONE;
    return config;
}

static dv_frontend *frontend_of(const dv_features_config *config)
{
    dv_frontend *frontend = NULL;
    if (dv_frontend_create(config, &frontend) != DV_OK)
        fail_msg("%s", dv_error_message());
    return frontend;
}

static void assert_message_has(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static double chirp_with_noise(int64_t i, int64_t rate, uint32_t *state)
{
    double t = (double)i / (double)rate;
    *state = *state * 1664525U + 1013904223U;
    double noise = (double)*state / 2147483648.0 - 1.0;
    return 0.5 * sin(2 * acos(-1.0) * (100 * t + 1700 * t * t)) + 0.05 * noise;
}

static float *make_signal(const char *name, int64_t rate, int64_t count)
{
    float *samples = calloc((size_t)count, sizeof *samples);
    assert_non_null(samples);
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        double chirp = chirp_with_noise(i, rate, &state);
        if (strcmp(name, "square") == 0)
            samples[i] = i * 880 / rate % 2 == 0 ? 1 : -1;
        else if (strcmp(name, "click") == 0)
            samples[i] = i == count / 3;
        else if (strcmp(name, "chirp") == 0 || (strcmp(name, "short") == 0 && i < count / 4))
            samples[i] = (float)chirp;
    }
    return samples;
}

static bool is_poison(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            return false;
    return true;
}

/* Makes a block of NaN: GUARD, `count` floats (64-byte aligned), GUARD. */
static float *poisoned(int64_t count)
{
    size_t total = (size_t)(count + 2 * GUARD);
    float *block = aligned_alloc(64, (total * sizeof(float) + 63) / 64 * 64);
    assert_non_null(block);
    for (size_t i = 0; i < total; i++)
        block[i] = NAN;
    return block;
}

/* Runs the fast form with poisoned output and scratch. The guards must stay poisoned. */
static float *fast(const dv_features_config *config, const float *window, int64_t *count)
{
    dv_frontend *frontend = frontend_of(config);
    *count = dv_frontend_rows(frontend) * dv_frontend_frames(frontend);
    int64_t scratch_floats = (int64_t)(dv_frontend_scratch(frontend) / sizeof(float));
    float *output = poisoned(*count);
    float *scratch = poisoned(scratch_floats);
    dv_frontend_compute(frontend, window, output + GUARD, scratch + GUARD);
    assert_true(is_poison(output, GUARD) && is_poison(output + GUARD + *count, GUARD));
    assert_true(is_poison(scratch, GUARD) && is_poison(scratch + GUARD + scratch_floats, GUARD));
    memmove(output, output + GUARD, (size_t)*count * sizeof *output);
    free(scratch);
    dv_frontend_free(frontend);
    return output;
}

/* Gains of 1 change only the way through the scratch memory, not the features. */
static void require_changed_like_plain(const dv_features_config *config)
{
    int64_t count = 0;
    float *window = make_signal("chirp", config->sample_rate, config->sample_rate);
    float *expected = fast(config, window, &count);
    dv_frontend *frontend = frontend_of(config);
    int64_t bins = config->n_fft / 2 + 1;
    float *gains = calloc((size_t)bins, sizeof *gains);
    float *values = calloc((size_t)count, sizeof *values);
    int64_t scratch_floats = (int64_t)(dv_frontend_scratch(frontend) / sizeof(float));
    float *scratch = poisoned(scratch_floats);
    assert_true(gains != NULL && values != NULL);
    for (int64_t bin = 0; bin < bins; bin++)
        gains[bin] = 1;
    dv_spectral_change change = {.gains = gains};
    dv_frontend_compute_changed(frontend, window, &change, values, scratch + GUARD);
    assert_true(is_poison(scratch, GUARD) && is_poison(scratch + GUARD + scratch_floats, GUARD));
    assert_memory_equal(values, expected, (size_t)count * sizeof *values);
    free(scratch);
    free(gains);
    free(values);
    free(expected);
    free(window);
    dv_frontend_free(frontend);
}

static double *reference(const dv_features_config *config, const float *window, int64_t count)
{
    double *output = calloc((size_t)count, sizeof *output);
    assert_non_null(output);
    if (dv_frontend_reference(config, window, true, output) != DV_OK)
        fail_msg("%s", dv_error_message());
    return output;
}

static double range_of(const double *values, int64_t count)
{
    double low = values[0];
    double high = values[0];
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    return high - low;
}

/* Asserts that every difference is at most `tolerance` times the range of the expected values, or
   times `least` if that is larger. */
static void assert_within(const char *what, const float *values, const double *expected,
                          int64_t count, double tolerance, double least)
{
    double scale = fmax(range_of(expected, count), least);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)values[i] - expected[i]) <= tolerance * scale))
            fail_msg("%s: value %lld is %.9g, expected %.9g (range %g)", what, (long long)i,
                     (double)values[i], expected[i], scale);
}

typedef struct golden {
    char title[160];
    char signal[16];
    dv_features_config config;
    int64_t step, rows, frames;
    double *values; /* (rows, frames), every `step`th row of the features */
} golden;

static int choice(const char *key, const char *text)
{
    const dv_field *field = dv_fields_find(dv_features_fields, key);
    for (int i = 0; field->choices[i] != NULL; i++)
        if (strcmp(field->choices[i], text) == 0)
            return i;
    fail_msg("%s: unknown choice %s", key, text);
    return -1;
}

static bool read_case(FILE *file, golden *out)
{
    char type[16], scale[16], norm[16];
    int number[13];
    if (fscanf(file, " case %15s %15s %15s %15s", out->signal, type, scale, norm) != 4)
        return false;
    for (int i = 0; i < 13; i++)
        assert_int_equal(fscanf(file, "%d", &number[i]), 1);
    out->config = plain(choice("type", type));
    out->config.mel_scale = choice("mel_scale", scale);
    out->config.mel_norm = choice("mel_norm", norm);
    out->config.sample_rate = number[0];
    out->config.duration = (double)number[1] / number[0];
    out->config.n_fft = number[2];
    out->config.window = number[3];
    out->config.hop = number[4];
    out->config.n_mels = number[5];
    out->config.n_mfcc = number[6];
    out->config.fmin = number[7];
    out->config.fmax = number[8];
    out->config.top_db = number[9];
    out->step = number[10];
    out->rows = number[11];
    out->frames = number[12];
    snprintf(out->title, sizeof out->title, "%s of %s, %s, %s, n_fft %d, %d Hz, top_db %d", type,
             out->signal, scale, norm, number[2], number[0], number[9]);
    out->values = calloc((size_t)(out->rows * out->frames), sizeof *out->values);
    assert_non_null(out->values);
    for (int64_t i = 0; i < out->rows * out->frames; i++)
        assert_int_equal(fscanf(file, "%lf", &out->values[i]), 1);
    return true;
}

/* Calls `check` for each case of the golden file. */
static void for_each_golden(void (*check)(const golden *expected, const float *window))
{
    FILE *file = fopen("tests/golden/features.txt", "r");
    assert_non_null(file);
    int character = 0;
    while (character != '\n' && character != EOF) /* the line of versions */
        character = fgetc(file);
    golden expected;
    int cases = 0;
    while (read_case(file, &expected)) {
        int64_t samples = llround(expected.config.duration * (double)expected.config.sample_rate);
        float *window = make_signal(expected.signal, expected.config.sample_rate, samples);
        check(&expected, window);
        free(window);
        free(expected.values);
        cases++;
    }
    assert_true(feof(file));
    assert_int_equal(cases, 33);
    fclose(file);
}

/* Compares relative to each value, or to the largest of the case for values near 0.
   kaldi-native-fbank, which made the values of fbank, computes in float. */
static void check_reference(const golden *expected, const float *window)
{
    int64_t frames = expected->frames;
    int64_t rows = (expected->rows - 1) * expected->step + 1;
    dv_frontend *frontend = frontend_of(&expected->config);
    int64_t count = dv_frontend_rows(frontend) * dv_frontend_frames(frontend);
    assert_int_equal(dv_frontend_frames(frontend), frames);
    assert_in_range(dv_frontend_rows(frontend), rows, rows + expected->step - 1);
    dv_frontend_free(frontend);
    double *values = reference(&expected->config, window, count);
    double largest = 0;
    for (int64_t i = 0; i < expected->rows * frames; i++)
        largest = fmax(largest, fabs(expected->values[i]));
    for (int64_t i = 0; i < expected->rows * frames; i++) {
        double value = values[i / frames * expected->step * frames + i % frames];
        double wanted = expected->values[i];
        double tolerance = 1e-6 * fabs(wanted) + 1e-8 * largest;
        if (expected->config.type == DV_FEATURES_FBANK)
            tolerance = 1e-5 * largest;
        if (!(fabs(value - wanted) <= tolerance))
            fail_msg("%s: value %lld is %.9g, its oracle has %.9g", expected->title, (long long)i,
                     value, wanted);
    }
    free(values);
}

static void test_reference_is_its_oracle(void **state)
{
    (void)state;
    for_each_golden(check_reference);
}

/* The fast form promises 1e-3 of the range of decibels (or coefficients) in a clip. The test asks
   for a tenth of that. */
static void check_fast(const golden *expected, const float *window)
{
    int64_t count = 0;
    int64_t frames = expected->frames;
    float *values = fast(&expected->config, window, &count);
    for (int64_t row = 0; row < expected->rows; row++)
        memmove(values + row * frames, values + row * expected->step * frames,
                (size_t)frames * sizeof *values);
    assert_within(expected->title, values, expected->values, expected->rows * frames, 1e-4, 1.0);
    free(values);
}

static void test_fast_is_its_oracle(void **state)
{
    (void)state;
    for_each_golden(check_fast);
}

static void compare_forms(const dv_features_config *config, const char *signal, double tolerance)
{
    char title[160];
    int64_t count = 0;
    int64_t samples = llround(config->duration * (double)config->sample_rate);
    float *window = make_signal(signal, config->sample_rate, samples);
    float *values = fast(config, window, &count);
    double *expected = reference(config, window, count);
    snprintf(title, sizeof title, "type %d of %s, mean %d, deviation %d, n_fft %lld", config->type,
             signal, config->mean, config->deviation, (long long)config->n_fft);
    assert_within(title, values, expected, count, tolerance, 1.0);
    free(window);
    free(values);
    free(expected);
}

static void test_all_normalizations(void **state)
{
    (void)state;
    static const char *const signals[] = {"chirp", "short", "silence"};
    for (int i = 0; i < DV_FEATURE_TYPES * 3 * 3 * 3; i++) {
        dv_features_config config = plain(i / 27);
        config.n_fft = 256;
        config.window = 200;
        config.n_mels = 30;
        config.mean = i / 3 % 3;
        config.deviation = i / 9 % 3;
        compare_forms(&config, signals[i % 3], 5e-4);
    }
}

static void test_every_transform_size(void **state)
{
    (void)state;
    for (int64_t n_fft = 16; n_fft <= 2048; n_fft *= 2) {
        dv_features_config config = plain(DV_FEATURES_SPECTROGRAM);
        config.duration = 0.25;
        config.n_fft = n_fft;
        config.window = n_fft - 1;
        config.hop = n_fft < 64 ? 64 : n_fft / 2 + 3;
        compare_forms(&config, "chirp", 2e-4);
        config.window = n_fft / 2 + 1;
        compare_forms(&config, "square", 2e-4);
    }
}

/* Larger transforms have three passes and more. One frame is enough, because the reference is slow.
 */
static void test_large_transforms(void **state)
{
    (void)state;
    for (int64_t n_fft = 4096; n_fft <= 32768; n_fft *= 2) {
        dv_features_config config = plain(DV_FEATURES_SPECTROGRAM);
        config.duration = 0.25;
        config.n_fft = n_fft;
        config.window = n_fft;
        config.hop = 2001;
        compare_forms(&config, "chirp", 2e-4);
    }
}

static void test_hop_beyond_the_window(void **state)
{
    (void)state;
    dv_features_config config = plain(DV_FEATURES_MEL);
    config.duration = 0.1;
    config.hop = 5000;
    compare_forms(&config, "chirp", 2e-4);
    config.hop = 1;
    config.n_fft = 256;
    config.window = 256;
    config.n_mels = 20;
    compare_forms(&config, "chirp", 2e-4);
}

/* More bands than bins, so that a band may lie between two bins; more frames than lanes. The
   changed spectrum swaps the two buffers of a block. */
static void test_more_bands_than_bins(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{16, 10}, {16, 14}, {64, 36}, {64, 60}, {1024, 1000}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        dv_features_config config = plain(i % 2 == 0 ? DV_FEATURES_MEL : DV_FEATURES_MFCC);
        config.sample_rate = 1000;
        config.duration = 0.5;
        config.n_fft = config.window = sizes[i / 2][0];
        config.hop = 9;
        config.n_mels = sizes[i / 2][1];
        config.n_mfcc = 7;
        compare_forms(&config, "chirp", 2e-4);
        require_changed_like_plain(&config);
    }
}

/* A frame of digital silence stays at the bottom next to a loud one. */
static void test_loud_frames_do_not_leak(void **state)
{
    (void)state;
    dv_features_config config = plain(DV_FEATURES_SPECTROGRAM);
    config.top_db = 0;
    int64_t count = 0;
    float *window = make_signal("square", 8000, 8000);
    memset(window + 4000, 0, 4000 * sizeof *window);
    float *values = fast(&config, window, &count);
    for (int64_t row = 0; row < 513; row++)
        for (int64_t frame = 18; frame < 32; frame++)
            assert_true(fabsf(values[row * 32 + frame] + 100) < 1e-4F);
    free(window);
    free(values);
}

static void test_normalized_statistics(void **state)
{
    (void)state;
    dv_features_config config = defaults(); /* mean over bands, deviation over the clip */
    int64_t count = 0;
    float *window = make_signal("chirp", 8000, 8000);
    float *values = fast(&config, window, &count);
    double squares = 0;
    for (int64_t row = 0; row < 13; row++) {
        double sum = 0;
        for (int64_t frame = 0; frame < 32; frame++) {
            double value = (double)values[row * 32 + frame];
            sum += value;
            squares += value * value;
        }
        assert_true(fabs(sum) < 1e-4);
    }
    assert_true(fabs(sqrt(squares / (double)count) - 1) < 1e-2);
    free(window);
    free(values);
}

/* A window longer than the samples to mirror, frames that begin behind the window's first sample,
   and a hop that leaves no frame. */
static void test_fbank_at_its_limits(void **state)
{
    (void)state;
    dv_features_config config = plain(DV_FEATURES_FBANK);
    config.duration = 0.05;
    compare_forms(&config, "chirp", 2e-4);
    config.duration = 0.25;
    config.n_fft = 256;
    config.window = 100;
    config.hop = 701;
    config.n_mels = 20;
    compare_forms(&config, "chirp", 2e-4);
    config.hop = 32768;
    dv_frontend *frontend;
    assert_int_equal(dv_frontend_create(&config, &frontend), DV_ECONFIG);
    assert_message_has("there is no frame of fbank");
}

static void test_silence_is_zero(void **state)
{
    (void)state;
    for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
        dv_features_config config = defaults();
        config.type = type;
        int64_t count = 0;
        float *window = make_signal("silence", 8000, 8000);
        float *values = fast(&config, window, &count);
        for (int64_t i = 0; i < count; i++)
            assert_true(fabsf(values[i]) < 1e-3F);
        free(window);
        free(values);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    dv_features_config config = defaults();
    dv_frontend *frontend = frontend_of(&config);
    assert_int_equal(dv_frontend_rows(frontend), 13);
    assert_int_equal(dv_frontend_frames(frontend), 32);
    assert_int_equal(dv_frontend_samples(frontend), 8000);
    assert_int_equal(dv_frontend_config(frontend)->n_fft, 1024);
    assert_int_equal(dv_frontend_config(frontend)->window, 1024);
    dv_frontend_free(frontend);
    static const int64_t rows[DV_FEATURE_TYPES] = {13, 64, 513, 64}, frames[] = {32, 32, 32, 31};
    for (int type = 0; type < DV_FEATURE_TYPES; type++) {
        config.type = type;
        frontend = frontend_of(&config);
        assert_int_equal(dv_frontend_rows(frontend), rows[type]);
        assert_int_equal(dv_frontend_frames(frontend), frames[type]);
        dv_frontend_free(frontend);
    }
    dv_frontend_free(NULL);
    assert_int_equal(config.placement, DV_PLACE_ENERGY);
    assert_int_equal(config.level, DV_LEVEL_RMS);
    assert_int_equal(config.mean, DV_OVER_BAND);
    assert_int_equal(config.deviation, DV_OVER_CLIP);
}

static void assert_refused(const dv_features_config *config, const char *name)
{
    dv_frontend *frontend = (dv_frontend *)(uintptr_t)1;
    double unused = 0;
    assert_int_equal(dv_frontend_create(config, &frontend), DV_ECONFIG);
    assert_null(frontend);
    assert_message_has(name);
    assert_message_has("features: ");
    if (strcmp(name, "mel band") != 0)
        assert_int_equal(dv_frontend_reference(config, NULL, true, &unused), DV_ECONFIG);
}

#define REFUSE(member, value, name)                                                                \
    do {                                                                                           \
        dv_features_config refused = defaults();                                                   \
        refused.member = (value);                                                                  \
        assert_refused(&refused, name);                                                            \
    } while (0)

static void test_refusals(void **state)
{
    (void)state;
    REFUSE(type, DV_FEATURE_TYPES, "type");
    REFUSE(placement, -1, "placement");
    REFUSE(level, 3, "level");
    REFUSE(mel_scale, 2, "mel_scale");
    REFUSE(mel_norm, 3, "mel_norm");
    REFUSE(mean, 3, "mean");
    REFUSE(deviation, 7, "deviation");
    REFUSE(sample_rate, 0, "sample_rate");
    REFUSE(duration, 0, "duration");
    REFUSE(duration, NAN, "duration");
    REFUSE(n_fft, 1000, "n_fft is 1000, must be a power of two");
    REFUSE(n_fft, INT64_MIN, "n_fft");
    REFUSE(n_fft, 512, "window is 1024, must be at most n_fft (512)");
    REFUSE(window, 1, "window");
    REFUSE(hop, 0, "hop");
    REFUSE(n_mels, 0, "n_mels");
    REFUSE(n_mels, 12, "n_mfcc is 13, must be at most n_mels (12)");
    REFUSE(n_mfcc, 65, "n_mfcc");
    REFUSE(fmin, 4000, "fmin is 4000 Hz, must be below fmax (4000 Hz)");
    REFUSE(fmin, -1, "fmin");
    REFUSE(fmax, 4001, "fmax is 4001 Hz, above half the sample_rate");
    REFUSE(top_db, -1, "top_db");
    REFUSE(top_db, INFINITY, "top_db");
    REFUSE(n_mels, 1000, "mel band");
    dv_features_config config = defaults();
    config.duration = 60;
    config.hop = 1;
    assert_refused(&config, "hop is 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_is_its_oracle),
        cmocka_unit_test(test_fast_is_its_oracle),
        cmocka_unit_test(test_all_normalizations),
        cmocka_unit_test(test_every_transform_size),
        cmocka_unit_test(test_large_transforms),
        cmocka_unit_test(test_hop_beyond_the_window),
        cmocka_unit_test(test_more_bands_than_bins),
        cmocka_unit_test(test_loud_frames_do_not_leak),
        cmocka_unit_test(test_normalized_statistics),
        cmocka_unit_test(test_fbank_at_its_limits),
        cmocka_unit_test(test_silence_is_zero),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
