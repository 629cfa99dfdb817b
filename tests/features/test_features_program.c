/* The front-end as statements of a program against the front-end itself: every type of features,
   placement, level and normalisation, clips from one sample to several windows, and random
   configurations. */
#include "engine/base/rng.h"
#include "frontends/features/program.h"
#include "tests/support/feature_rig.h"
#include "tests/support/program_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_CONFIGURATIONS = 300, TYPES = DV_FEATURE_TYPES, PLACEMENTS = 3, LEVELS = 3 };

/* The tolerance of the front-end's own fast form against the reference. */
static const double tolerance = 5e-4;

/* Fills a clip with hiss and a word that swells and fades, whose place depends on the number. */
static void fill_clip(float *samples, int64_t count, uint64_t number)
{
    dv_rng noise = {.seed = 5, .use = DV_RNG_TEST, .step = number};
    double start = (double)count * (0.1 + 0.2 * (double)(number % 4)), length = 0.3 * (double)count;
    for (int64_t i = 0; i < count; i++) {
        double phase = ((double)i - start) / length;
        samples[i] = (float)(0.02 + 0.01 * (dv_rng_uniform(&noise, (uint32_t)i) - 0.5));
        if (phase > 0 && phase < 1)
            samples[i] += (float)(0.3 * sin(acos(-1.0) * phase) * sin(0.5 * (double)i));
    }
}

/* ---- Programs ---- */

typedef struct written {
    dv_frontend *frontend;
    dv_program *program;
    dv_value window, features;
} written;

static written write_frontend(const dv_features_config *config)
{
    written w;
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_symbol(DV_SYMBOL_SAMPLES)};
    must(dv_frontend_create(config, &w.frontend));
    must(dv_program_create(&w.program));
    dv_value audio = dv_program_input(w.program, "audio", DV_ELEMENT_F32, sizes, 2);
    w.window = dv_frontend_write_window(w.frontend, w.program, audio);
    w.features = dv_frontend_write_features(w.frontend, w.program, w.window);
    must(dv_program_finish(w.program));
    return w;
}

static void drop(written *w)
{
    dv_program_free(w->program);
    dv_frontend_free(w->frontend);
}

static void compare(const char *what, int64_t count, const double *got, const float *want)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, (double)want[i]);
        high = fmax(high, (double)want[i]);
    }
    double scale = fmax(high - low, 1);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(got[i] - (double)want[i]) <= tolerance * scale))
            fail_msg("%s: element %lld is %.9g in the program, %.9g in the front-end", what,
                     (long long)i, got[i], (double)want[i]);
    }
}

/* Runs `clips` clips of one length at once, and compares each by itself. */
static void check(const char *what, written *w, int64_t clips, int64_t count)
{
    int64_t size = dv_frontend_samples(w->frontend);
    int64_t features = dv_frontend_rows(w->frontend) * dv_frontend_frames(w->frontend);
    float *samples = allocated((size_t)(clips * count), sizeof *samples);
    float *window = allocated((size_t)size, sizeof *window);
    float *want = allocated((size_t)features, sizeof *want);
    void *scratch = aligned_alloc(64, (dv_frontend_scratch(w->frontend) + 63) / 64 * 64);
    assert_non_null(scratch);
    for (int64_t i = 0; i < clips; i++)
        fill_clip(samples + i * count, count, (uint64_t)i);
    array input = array_of(samples, (const int64_t[]){clips, count}, 2);
    array *values = program_run(w->program, &input);
    for (int64_t i = 0; i < clips; i++) {
        int64_t centre = dv_frontend_prepare(w->frontend, samples + i * count, count);
        dv_frontend_cut(w->frontend, samples + i * count, count, centre, 0, 1, window);
        dv_frontend_compute(w->frontend, window, want, scratch);
        compare(what, size, values[w->window].data + i * size, window);
        compare(what, features, values[w->features].data + i * features, want);
    }
    program_free(w->program, values);
    free(input.data);
    free(samples);
    free(window);
    free(want);
    free(scratch);
}

/* ---- Tests ---- */

static void test_types_placements_and_levels(void **state)
{
    static const int64_t counts[] = {1, 37, 800, 1600, 1601, 5000};
    (void)state;
    for (int number = 0; number < TYPES * PLACEMENTS * LEVELS; number++) {
        dv_features_config config = small(number % TYPES);
        config.placement = number / TYPES % PLACEMENTS;
        config.level = number / TYPES / PLACEMENTS;
        written w = write_frontend(&config);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            char what[96];
            snprintf(what, sizeof what, "%s, placement %d, level %d, %lld samples",
                     dv_feature_type_names[config.type], config.placement, config.level,
                     (long long)counts[i]);
            check(what, &w, 3, counts[i]);
        }
        drop(&w);
    }
}

static void test_normalisations(void **state)
{
    (void)state;
    for (int number = 0; number < 9; number++) {
        dv_features_config config = small(DV_FEATURES_MEL);
        config.mean = number % 3;
        config.deviation = number / 3;
        config.top_db = number % 2 == 0 ? 0 : 30;
        written w = write_frontend(&config);
        check("normalisation", &w, 2, 1700);
        drop(&w);
    }
}

/* Words longer and shorter than the window, and clips on both sides of the length at which the
   noise floor changes. */
static void test_words_of_all_lengths(void **state)
{
    (void)state;
    dv_features_config config = small(DV_FEATURES_MEL);
    config.duration = 1;
    written w = write_frontend(&config);
    for (int64_t count = 3000; count < 26000; count += 1531)
        check("a word", &w, 4, count);
    check("0.7 s", &w, 4, 5600);
    check("0.7 s and a sample", &w, 4, 5601);
    drop(&w);
}

/* Clips without sound: zeros, a constant, one click, and a tone too soft to be amplified. */
static void test_silence(void **state)
{
    (void)state;
    enum { COUNT = 2500, KINDS = 4 };
    for (int placement = 0; placement < PLACEMENTS; placement++) {
        dv_features_config config = small(DV_FEATURES_MFCC);
        config.placement = placement;
        written w = write_frontend(&config);
        int64_t size = dv_frontend_samples(w.frontend);
        float *samples = allocated((size_t)KINDS * COUNT, sizeof *samples);
        float *window = allocated((size_t)size, sizeof *window);
        for (int64_t i = 0; i < COUNT; i++) {
            samples[COUNT + i] = 0.25F;
            samples[3 * COUNT + i] = (float)(2e-7 * sin(0.7 * (double)i));
        }
        samples[2 * COUNT + 2000] = 1; /* a click without a mean, so that all else is 0 */
        samples[2 * COUNT + 2001] = -1;
        array input = array_of(samples, (const int64_t[]){KINDS, COUNT}, 2);
        array *values = program_run(w.program, &input);
        for (int64_t kind = 0; kind < KINDS; kind++) {
            float *clip = samples + kind * COUNT;
            int64_t centre = dv_frontend_prepare(w.frontend, clip, COUNT);
            dv_frontend_cut(w.frontend, clip, COUNT, centre, 0, 1, window);
            compare("no sound", size, values[w.window].data + kind * size, window);
        }
        program_free(w.program, values);
        free(input.data);
        free(samples);
        free(window);
        drop(&w);
    }
}

static int64_t draw(const dv_rng *rng, uint32_t index, int64_t least, int64_t most)
{
    return least + (int64_t)(dv_rng_uniform(rng, index) * (double)(most - least + 1));
}

/* A random configuration, which may be invalid. */
static dv_features_config random_configuration(uint64_t number)
{
    dv_rng rng = {.seed = 6, .use = DV_RNG_TEST, .step = number};
    dv_features_config config = small((int)draw(&rng, 0, 0, TYPES - 1));
    config.sample_rate = draw(&rng, 1, 1000, 9000);
    config.duration = 0.05 + 0.3 * dv_rng_uniform(&rng, 2);
    config.n_fft = (int64_t)1 << draw(&rng, 3, 4, 10);
    config.window = draw(&rng, 4, 2, config.n_fft);
    config.hop = draw(&rng, 5, 1, number % 4 == 0 ? 40 : 400);
    config.n_mels = draw(&rng, 6, 1, 24);
    config.n_mfcc = draw(&rng, 7, 1, config.n_mels);
    config.mel_scale = (int)draw(&rng, 8, 0, 1);
    config.mel_norm = (int)draw(&rng, 9, 0, 2);
    config.placement = (int)draw(&rng, 10, 0, 2);
    config.level = (int)draw(&rng, 11, 0, 2);
    config.mean = (int)draw(&rng, 12, 0, 2);
    config.deviation = (int)draw(&rng, 13, 0, 2);
    config.top_db = 60;
    return config;
}

static void test_random_configurations(void **state)
{
    int64_t valid = 0;
    (void)state;
    for (uint64_t number = 0; number < RANDOM_CONFIGURATIONS; number++) {
        dv_features_config config = random_configuration(number);
        dv_frontend *frontend;
        char what[160];
        if (dv_frontend_create(&config, &frontend) != DV_OK)
            continue;
        dv_frontend_free(frontend);
        written w = write_frontend(&config);
        snprintf(what, sizeof what, "configuration %d: %s, rate %d, n_fft %d, window %d, hop %d",
                 (int)number, dv_feature_type_names[config.type], (int)config.sample_rate,
                 (int)config.n_fft, (int)config.window, (int)config.hop);
        check(what, &w, 1, (int64_t)(number * 37 % 1500) + 1);
        drop(&w);
        valid++;
    }
    printf("%lld configurations\n", (long long)valid);
    assert_true(valid >= RANDOM_CONFIGURATIONS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_placements_and_levels), cmocka_unit_test(test_normalisations),
        cmocka_unit_test(test_words_of_all_lengths),        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_random_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
