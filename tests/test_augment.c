/* Augmentation draws, and batches of features. */
#include "frontends/augment.h"
#include "frontends/batch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const dv_rng rng = {.seed = 11, .use = DV_RNG_AUGMENT, .step = 5};

static double decibels(float gain)
{
    return 20.0 * log10((double)gain);
}

static void defaults(void **state)
{
    (void)state;
    dv_augment_config config;
    assert_int_equal(dv_fields_default(dv_augment_fields, &config), DV_OK);
    assert_true(config.shift == 0.1);
    assert_true(config.gain == 6.0);
}

/* Within the range, reaching near both ends, with the mean and the variance of a uniform. */
static void draws_are_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const dv_augment_config config = {.shift = 0.1, .gain = 6.0};
    double shift_sum = 0, shift_squares = 0, gain_sum = 0, gain_squares = 0, product = 0;
    int64_t least = 0, most = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        int64_t shift;
        float gain;
        dv_augment_draw(&config, &rng, i, 8000, &shift, &gain);
        assert_true(shift >= -800 && shift <= 800);
        assert_true(fabs(decibels(gain)) <= 6.00001);
        least = shift < least ? shift : least;
        most = shift > most ? shift : most;
        shift_sum += (double)shift;
        shift_squares += (double)(shift * shift);
        gain_sum += decibels(gain);
        gain_squares += decibels(gain) * decibels(gain);
        product += (double)shift * decibels(gain);
    }
    assert_int_equal(least, -800);
    assert_int_equal(most, 800);
    assert_true(fabs(shift_sum / DRAWS) < 13.0); /* standard error 3.3 */
    assert_true(fabs(sqrt(shift_squares / DRAWS) / (801.0 / sqrt(3.0)) - 1.0) < 0.02);
    assert_true(fabs(gain_sum / DRAWS) < 0.1); /* standard error 0.024 */
    assert_true(fabs(sqrt(gain_squares / DRAWS) / (6.0 / sqrt(3.0)) - 1.0) < 0.02);
    assert_true(fabs(product / DRAWS) < 0.04 * 462.0 * 3.46); /* not correlated */
}

static void draws_are_reproducible(void **state)
{
    (void)state;
    const dv_augment_config config = {.shift = 0.1, .gain = 6.0};
    dv_rng next_step = rng;
    next_step.step++;
    int same = 0;
    for (uint32_t i = 0; i < 100; i++) {
        int64_t shift[3];
        float gain[3];
        dv_augment_draw(&config, &rng, i, 8000, &shift[0], &gain[0]);
        dv_augment_draw(&config, &rng, i, 8000, &shift[1], &gain[1]);
        dv_augment_draw(&config, &next_step, i, 8000, &shift[2], &gain[2]);
        assert_int_equal(shift[0], shift[1]);
        assert_memory_equal(&gain[0], &gain[1], sizeof gain[0]);
        same += shift[0] == shift[2];
    }
    assert_true(same < 5);
}

/* Bits that any other backend has to give too. */
static void formulas_have_fixed_bits(void **state)
{
    (void)state;
    assert_int_equal(dv_augment_shift(0, 800), -800);
    assert_int_equal(dv_augment_shift(UINT32_MAX, 800), 800);
    assert_int_equal(dv_augment_shift(0x80000000U, 800), 0);
    assert_int_equal(dv_augment_shift(0xFFFFFFFFU, 0), 0);
    assert_true(dv_augment_gain(0x80000000U, 3.0F) == 1.0F);
    assert_true(dv_augment_gain(0, 0.0F) == 1.0F);
    assert_true(dv_augment_gain(0, 10.0F) == 0x1p-10F);
    for (uint32_t i = 0; i < 4096; i++) {
        uint32_t bits = i << 20;
        double exact = exp2(5.0 * (2.0 * (double)dv_uniform_from_bits(bits) - 1.0));
        assert_true(fabs((double)dv_augment_gain(bits, 5.0F) / exact - 1.0) < 6e-7);
    }
}

static void nothing_is_drawn_from_nothing(void **state)
{
    (void)state;
    const dv_augment_config config = {0};
    for (uint32_t i = 0; i < 100; i++) {
        int64_t shift = 1;
        float gain = 0;
        dv_augment_draw(&config, &rng, i, 8000, &shift, &gain);
        assert_int_equal(shift, 0);
        assert_true(gain == 1.0F);
    }
}

enum { CLIPS = 7, BATCH = 301 }; /* long enough for two threads to meet */

typedef struct fixture {
    dv_frontend *frontend;
    dv_dataset dataset;
    int64_t indices[BATCH];
    size_t size; /* floats of one clip's features */
} fixture;

/* Clips of different length, made here. */
static int make_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    dv_features_config config;
    if (f == NULL || dv_fields_default(dv_features_fields, &config) != DV_OK ||
        dv_frontend_create(&config, &f->frontend) != DV_OK)
        return -1;
    f->size = (size_t)(dv_frontend_rows(f->frontend) * dv_frontend_frames(f->frontend));
    f->dataset.clips = calloc(CLIPS, sizeof *f->dataset.clips);
    f->dataset.count = CLIPS;
    for (int64_t i = 0; i < CLIPS; i++) {
        dv_clip *clip = &f->dataset.clips[i];
        dv_rng noise = {.seed = 1, .use = DV_RNG_TEST, .step = (uint64_t)i};
        clip->count = 1500 * (i + 1);
        clip->samples = calloc((size_t)clip->count, sizeof *clip->samples);
        for (int64_t k = 0; k < clip->count; k++)
            clip->samples[k] = 0.3F * (float)sin(0.1 * (double)(i + 1) * (double)k) +
                               0.05F * (dv_rng_uniform(&noise, (uint32_t)k) - 0.5F);
        clip->center = dv_frontend_prepare(f->frontend, clip->samples, clip->count);
    }
    for (int64_t i = 0; i < BATCH; i++)
        f->indices[i] = (i * 3 + 1) % CLIPS;
    *state = f;
    return 0;
}

static int drop_fixture(void **state)
{
    fixture *f = *state;
    dv_dataset_free(&f->dataset);
    dv_frontend_free(f->frontend);
    free(f);
    return 0;
}

static float *batch_features(const fixture *f, int threads, const dv_augment_config *augment)
{
    dv_batch *batch;
    float *features = calloc(BATCH * f->size, sizeof *features);
    assert_non_null(features);
    assert_int_equal(dv_batch_create(f->frontend, threads, &batch), DV_OK);
    dv_batch_features(batch, &f->dataset, f->indices, BATCH, augment, &rng, features);
    dv_batch_free(batch);
    return features;
}

/* The features of one place, on their own. */
static void single_features(const fixture *f, uint32_t place, const dv_augment_config *augment,
                            float *features)
{
    const dv_clip *clip = &f->dataset.clips[f->indices[place]];
    size_t samples = (size_t)dv_frontend_samples(f->frontend);
    size_t scratch_size = (dv_frontend_scratch(f->frontend) + 63) / 64 * 64;
    float *window = calloc(samples, sizeof *window);
    void *scratch = aligned_alloc(64, scratch_size > 0 ? scratch_size : 64);
    assert_non_null(window);
    assert_non_null(scratch);
    int64_t shift = 0;
    float gain = 1.0F;
    if (augment != NULL)
        dv_augment_draw(augment, &rng, place, dv_frontend_config(f->frontend)->sample_rate, &shift,
                        &gain);
    dv_frontend_cut(f->frontend, clip->samples, clip->count, clip->center, shift, gain, window);
    dv_frontend_compute(f->frontend, window, features, scratch);
    free(window);
    free(scratch);
}

static void assert_batch_is_single_clips(const fixture *f, const dv_augment_config *augment)
{
    float *batch = batch_features(f, 1, augment);
    float *single = calloc(f->size, sizeof *single);
    assert_non_null(single);
    for (uint32_t i = 0; i < BATCH; i++) {
        single_features(f, i, augment, single);
        assert_memory_equal(single, batch + i * f->size, f->size * sizeof *single);
    }
    free(single);
    free(batch);
}

static void batch_is_single_clips(void **state)
{
    const dv_augment_config augment = {.shift = 0.1, .gain = 6.0};
    assert_batch_is_single_clips(*state, NULL);
    assert_batch_is_single_clips(*state, &augment);
}

static void threads_change_nothing(void **state)
{
    const fixture *f = *state;
    const dv_augment_config augment = {.shift = 0.1, .gain = 6.0};
    size_t bytes = BATCH * f->size * sizeof(float);
    float *one = batch_features(f, 1, &augment);
    float *two = batch_features(f, 2, &augment);
    float *plain = batch_features(f, 2, NULL);
    assert_memory_equal(one, two, bytes);
    assert_memory_not_equal(one, plain, bytes);
    free(one);
    free(two);
    free(plain);
}

#define WITH_CLIPS(test) cmocka_unit_test_setup_teardown(test, make_fixture, drop_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(draws_are_uniform),
        cmocka_unit_test(draws_are_reproducible),
        cmocka_unit_test(formulas_have_fixed_bits),
        cmocka_unit_test(nothing_is_drawn_from_nothing),
        WITH_CLIPS(batch_is_single_clips),
        WITH_CLIPS(threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
