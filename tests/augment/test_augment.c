/* The draws of augmentation, and batches of features. */
#include "frontends/augment/augment.h"
#include "frontends/batch/batch.h"
#include "tests/support/augment_setup.h"
#include "tests/support/dataset_folder.h"

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

static dv_augment_config everything(void)
{
    dv_augment_config config = default_config();
    config.speed = 1.15;
    config.noise = 0.6;
    config.reverberation = 0.5;
    config.telephone = 0.3;
    config.clipping = 0.25;
    config.gap = 0.2;
    config.equalizer = 3;
    config.warp = 1.1;
    config.frequency_masks = config.time_masks = 2;
    config.mixup = 0.4;
    return config;
}

static void defaults(void **state)
{
    (void)state;
    const dv_augment_config config = default_config();
    assert_true(config.shift == 0.1);
    assert_true(config.gain == 6.0);
    assert_true(config.speed == 1.0 && config.warp == 1.0);
    assert_true(config.noise == 0 && config.reverberation == 0 && config.telephone == 0);
    assert_true(config.clipping == 0 && config.gap == 0);
    assert_true(config.equalizer == 0 && config.mixup == 0);
    assert_true(config.frequency_masks == 0 && config.time_masks == 0);
}

/* ---- Draws ---- */

enum { DRAWS = 20000 };

typedef struct moments {
    double sum, squares, least, most;
    int count;
} moments;

static void add(moments *m, double value)
{
    m->least = m->count == 0 || value < m->least ? value : m->least;
    m->most = m->count == 0 || value > m->most ? value : m->most;
    m->sum += value;
    m->squares += value * value;
    m->count++;
}

/* Asserts that numbers reach near both ends, and have the mean and the deviation of a uniform
   distribution to within 5 standard errors. */
static void require_uniform(const char *what, const moments *m, double low, double high)
{
    double range = high - low, mean = m->sum / m->count;
    double deviation = sqrt(m->squares / m->count - mean * mean);
    double error = 5 * range / sqrt(12.0 * m->count);
    if (m->least < low - 1e-5 || m->most > high + 1e-5 || m->least > low + 0.01 * range ||
        m->most < high - 0.01 * range || fabs(mean - 0.5 * (low + high)) > error ||
        fabs(deviation - range / sqrt(12.0)) > error)
        fail_msg("%s: %g to %g, mean %g, deviation %g; expected %g to %g", what, m->least, m->most,
                 mean, deviation, low, high);
}

static void require_share(const char *what, int count, double probability)
{
    double error = 5 * sqrt(probability * (1 - probability) / DRAWS);
    if (fabs((double)count / DRAWS - probability) > error)
        fail_msg("%s: %d of %d, expected a share of %g", what, count, DRAWS, probability);
}

static void draws_are_uniform(void **state)
{
    (void)state;
    const dv_augment_config config = everything();
    setup s = open_setup(&config);
    moments shift = {0}, gain = {0}, speed = {0}, warp = {0}, decay = {0}, reflected = {0};
    moments clipping = {0}, gap = {0};
    int telephones = 0;
    double product = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        dv_augment_draws draws;
        dv_augment_draw(s.augmenter, &rng, i, &draws);
        add(&shift, (double)draws.shift);
        add(&gain, decibels(draws.gain));
        add(&speed, log((double)draws.step / 4294967296.0));
        add(&warp, log((double)draws.warp));
        if (draws.decay > 0)
            add(&decay, (double)draws.decay);
        add(&reflected, decibels(draws.reflected));
        telephones += draws.telephone;
        if (draws.clipping > 0)
            add(&clipping, decibels(draws.clipping));
        if (draws.gap > 0)
            add(&gap, (double)draws.gap);
        assert_true(draws.gap_at >= 0 && draws.gap_at + draws.gap <= 8000);
        product += (double)draws.shift * decibels(draws.gain);
    }
    require_uniform("shift", &shift, -800, 800);
    require_uniform("gain", &gain, -6, 6);
    require_uniform("speed", &speed, -log(1.15), log(1.15));
    require_uniform("warp", &warp, -log(1.1), log(1.1));
    require_uniform("decay", &decay, 800, 3200);
    require_uniform("reflected", &reflected, -12.0412, 0);
    require_share("reverberation", decay.count, 0.5);
    require_share("telephone", telephones, 0.3);
    require_uniform("clipping", &clipping, 0, 12);
    require_share("clipping", clipping.count, 0.25);
    require_uniform("gap", &gap, 160, 640);
    require_share("gap", gap.count, 0.2);
    assert_true(fabs(product / DRAWS) < 0.04 * 462.0 * 3.46); /* not correlated */
    close_setup(&s);
}

static void noise_is_drawn_from_all(void **state)
{
    (void)state;
    dv_augment_config config = everything();
    config.noise_colors = 4;
    config.noise_snr[0] = -5;
    config.noise_snr[1] = 30;
    config.noise_within = 0.4;
    setup s = open_setup(&config);
    int within = 0;
    const dv_noise_bank *bank = &dv_augmenter_tables(s.augmenter)->noise;
    assert_int_equal(bank->count, 4);
    moments level = {0}, start = {0};
    int chosen[4] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        dv_augment_draws draws;
        dv_augment_draw(s.augmenter, &rng, i, &draws);
        if (draws.noise <= 0)
            continue;
        int64_t length = bank->sample_count / 4, which = draws.noise_at / length;
        int64_t place = (draws.noise_at - bank->noises[which].offset) / DV_NOISE_STRIDE;
        float factor = bank->factors[bank->noises[which].first + place];
        chosen[which]++;
        within += draws.noise_within;
        add(&level, -decibels(draws.noise / factor));
        add(&start, (double)place);
    }
    require_share("noise", level.count, 0.6);
    for (int i = 0; i < 4; i++)
        require_share("a noise", chosen[i], 0.15);
    require_share("noise within", within, 0.6 * 0.4);
    require_uniform("snr", &level, -5, 30);
    require_uniform("start", &start, 0, (double)(bank->noises[0].starts - 1));
    close_setup(&s);
}

static void knots_are_normal(void **state)
{
    (void)state;
    const dv_augment_config config = everything();
    setup s = open_setup(&config);
    for (int knot = 0; knot < DV_EQUALIZER_KNOTS; knot++) {
        moments m = {0};
        for (uint32_t i = 0; i < DRAWS; i++) {
            dv_augment_draws draws;
            dv_augment_draw(s.augmenter, &rng, i, &draws);
            add(&m, 10 * log10(2) * (double)draws.knots[knot]);
        }
        assert_true(fabs(m.sum / DRAWS) < 5 * 3.0 / sqrt(DRAWS));
        assert_true(fabs(sqrt(m.squares / DRAWS) - 3.0) < 5 * 3.0 / sqrt(2.0 * DRAWS));
        assert_true(m.most > 2.5 * 3.0 && m.most < 3.5 * 3.0);
        assert_true(m.least < -2.5 * 3.0 && m.least > -3.5 * 3.0);
    }
    close_setup(&s);
}

/* Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)). For a = 1 it is the uniform. */
static void shares_are_of_beta(void **state)
{
    (void)state;
    static const double alphas[] = {0.05, 0.2, 0.4, 1, 2, 30};
    for (size_t k = 0; k < sizeof alphas / sizeof alphas[0]; k++) {
        dv_augment_config config = default_config();
        config.mixup = alphas[k];
        setup s = open_setup(&config);
        moments m = {0};
        for (uint32_t i = 0; i < DRAWS; i++) {
            dv_augment_draws draws;
            dv_augment_draw(s.augmenter, &rng, i, &draws);
            add(&m, (double)draws.share);
        }
        double mean = m.sum / DRAWS, variance = m.squares / DRAWS - mean * mean;
        double want = 1 / (4 * (2 * alphas[k] + 1));
        assert_true(m.least >= 0 && m.most <= 1);
        assert_true(fabs(mean - 0.5) < 5 * sqrt(want / DRAWS));
        if (fabs(variance / want - 1) > 0.05)
            fail_msg("alpha %g: variance %g, expected %g", alphas[k], variance, want);
        const float *mixing = dv_augmenter_tables(s.augmenter)->mixing;
        for (int i = 0; alphas[k] == 1 && i <= DV_MIX_POINTS; i++)
            assert_true(fabs((double)mixing[i] - (double)i / DV_MIX_POINTS) < 1e-6);
        close_setup(&s);
    }
}

static void draws_are_reproducible(void **state)
{
    (void)state;
    const dv_augment_config config = everything();
    setup s = open_setup(&config);
    dv_rng next_step = rng;
    next_step.step++;
    int same = 0;
    for (uint32_t i = 0; i < 100; i++) {
        dv_augment_draws draws[3];
        memset(draws, 0, sizeof draws);
        dv_augment_draw(s.augmenter, &rng, i, &draws[0]);
        dv_augment_draw(s.augmenter, &rng, i, &draws[1]);
        dv_augment_draw(s.augmenter, &next_step, i, &draws[2]);
        assert_memory_equal(&draws[0], &draws[1], sizeof draws[0]);
        same += draws[0].shift == draws[2].shift;
    }
    assert_true(same < 5);
    close_setup(&s);
}

/* Shift and gain do not depend on other augmentations. */
static void switches_do_not_touch_each_other(void **state)
{
    (void)state;
    const dv_augment_config plain = default_config(), all = everything();
    setup s[2] = {open_setup(&plain), open_setup(&all)};
    for (uint32_t i = 0; i < 100; i++) {
        dv_augment_draws draws[2];
        for (int k = 0; k < 2; k++)
            dv_augment_draw(s[k].augmenter, &rng, i, &draws[k]);
        assert_int_equal(draws[0].shift, draws[1].shift);
        assert_memory_equal(&draws[0].gain, &draws[1].gain, sizeof(float));
    }
    close_setup(&s[0]);
    close_setup(&s[1]);
}

/* Every other backend must give these bits, too. */
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
    assert_true(dv_augment_normal(0x7F7F8080U) == 0.0F);
    for (uint32_t i = 0; i < 4096; i++) {
        uint32_t bits = i << 20;
        double exact = exp2(5.0 * (2.0 * (double)dv_uniform_from_bits(bits) - 1.0));
        assert_true(fabs((double)dv_augment_gain(bits, 5.0F) / exact - 1.0) < 6e-7);
    }
    for (int64_t position = -3; position <= 3; position++) {
        int64_t half = (int64_t)1 << 31;
        assert_int_equal(dv_augment_whole(2 * position * half + half), position);
        assert_int_equal(dv_augment_phase(2 * position * half + half), DV_RESAMPLE_PHASES / 2);
    }
}

static void nothing_is_drawn_from_nothing(void **state)
{
    (void)state;
    dv_augment_config config = default_config();
    config.shift = config.gain = 0;
    setup s = open_setup(&config);
    const dv_augment_tables *tables = dv_augmenter_tables(s.augmenter);
    assert_true(tables->resampler == NULL && tables->telephone == NULL && tables->mixing == NULL);
    assert_true(tables->noise.samples == NULL);
    for (uint32_t i = 0; i < 100; i++) {
        dv_augment_draws draws;
        dv_augment_draw(s.augmenter, &rng, i, &draws);
        assert_int_equal(draws.shift, 0);
        assert_int_equal(draws.step, (int64_t)1 << 32);
        assert_int_equal(draws.decay, 0);
        assert_true(draws.gain == 1.0F && draws.warp == 1.0F && draws.noise == 0 &&
                    draws.share == 1.0F && !draws.telephone && draws.clipping == 0 &&
                    draws.gap == 0);
    }
    close_setup(&s);
}

/* ---- Refusals ---- */

static void refuse(const dv_augment_config *config, dv_status code, const char *part)
{
    dv_frontend *frontend = default_frontend();
    dv_augmenter *augmenter = (dv_augmenter *)(uintptr_t)1;
    assert_int_equal(dv_augmenter_create(config, frontend, &augmenter), code);
    assert_null(augmenter);
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
    dv_frontend_free(frontend);
}

static void refusals(void **state)
{
    const char *folder = *state;
    dv_augment_config config = default_config(), changed;
    config.noise = 0.5;
    changed = config;
    changed.noise_snr[0] = 20;
    changed.noise_snr[1] = 10;
    refuse(&changed, DV_ECONFIG, "noise_snr is [20, 10]");
    changed = config;
    changed.reverberation_time[0] = 401;
    refuse(&changed, DV_ECONFIG, "reverberation_time is [401, 400]");
    changed = config;
    changed.clipping_level[0] = 13;
    refuse(&changed, DV_ECONFIG, "clipping_level is [13, 12]");
    changed = config;
    changed.noise_colors = 0;
    refuse(&changed, DV_ECONFIG, "there is no noise: set noise_path");
    snprintf(changed.noise_path, sizeof changed.noise_path, "%s/missing", folder);
    refuse(&changed, DV_EIO, "missing: cannot be read: No such file");
    snprintf(changed.noise_path, sizeof changed.noise_path, "%s", folder);
    refuse(&changed, DV_EIO, "augment: noise_path: ");
    refuse(&changed, DV_EIO, "the folder holds no sound file");
    snprintf(changed.noise_path, sizeof changed.noise_path, ",%s", folder);
    refuse(&changed, DV_EARG, "augment: noise_path: ',");
    snprintf(changed.noise_path, sizeof changed.noise_path, "%s", folder);
    char path[512];
    snprintf(path, sizeof path, "%s/bad.wav", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("no sound", file);
    fclose(file);
    refuse(&changed, DV_EFORMAT, "bad.wav");
}

/* ---- Batches ---- */

enum { CLIPS = 7, BATCH = 301 }; /* long enough for two threads to run at once */

typedef struct fixture {
    dv_frontend *frontend;
    dv_dataset dataset;
    int64_t indices[BATCH];
    size_t size; /* floats of one clip's features */
} fixture;

/* Makes clips of different lengths. */
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

/* Makes a batch; without an augmenter if `config` is NULL. */
static float *batch_features(const fixture *f, int threads, int64_t count,
                             const dv_augment_config *config, const dv_rng *numbers)
{
    dv_batch_workspace *batch;
    dv_augmenter *augmenter = NULL;
    float *features = calloc((size_t)count * f->size, sizeof *features);
    assert_non_null(features);
    if (config != NULL)
        must(dv_augmenter_create(config, f->frontend, &augmenter));
    must(dv_batch_create(f->frontend, augmenter, threads, &batch));
    dv_batch_features(batch, &f->dataset, f->indices, count, numbers, features);
    dv_batch_free(batch);
    dv_augmenter_free(augmenter);
    return features;
}

/* With shift and gain alone, features equal those of a cut window, to the bit. */
static void batch_is_single_clips(void **state)
{
    const fixture *f = *state;
    const dv_augment_config config = default_config();
    float *single = calloc(f->size, sizeof *single);
    float *window = calloc((size_t)dv_frontend_samples(f->frontend), sizeof *window);
    void *scratch = aligned_alloc(64, (dv_frontend_scratch(f->frontend) + 63) / 64 * 64);
    setup s = open_setup(&config);
    assert_true(single != NULL && window != NULL && scratch != NULL);
    for (int augmented = 0; augmented < 2; augmented++) {
        float *batch = batch_features(f, 1, BATCH, &config, augmented ? &rng : NULL);
        for (uint32_t i = 0; i < BATCH; i++) {
            const dv_clip *clip = &f->dataset.clips[f->indices[i]];
            dv_augment_draws draws = {.gain = 1};
            if (augmented)
                dv_augment_draw(s.augmenter, &rng, i, &draws);
            dv_frontend_cut(f->frontend, clip->samples, clip->count, clip->center, draws.shift,
                            draws.gain, window);
            dv_frontend_compute(f->frontend, window, single, scratch);
            assert_memory_equal(single, batch + i * f->size, f->size * sizeof *single);
        }
        free(batch);
    }
    close_setup(&s);
    free(window);
    free(single);
    free(scratch);
}

static void threads_change_nothing(void **state)
{
    const fixture *f = *state;
    const dv_augment_config config = everything();
    size_t bytes = BATCH * f->size * sizeof(float);
    float *one = batch_features(f, 1, BATCH, &config, &rng);
    float *two = batch_features(f, 2, BATCH, &config, &rng);
    float *plain = batch_features(f, 2, BATCH, NULL, NULL);
    assert_memory_equal(one, two, bytes);
    assert_memory_not_equal(one, plain, bytes);
    for (size_t i = 0; i < BATCH * f->size; i++)
        assert_true(isfinite(one[i]));
    free(one);
    free(two);
    free(plain);
}

static void evaluation_is_left_alone(void **state)
{
    const fixture *f = *state;
    const dv_augment_config config = everything();
    float *with = batch_features(f, 1, CLIPS, &config, NULL);
    float *without = batch_features(f, 1, CLIPS, NULL, NULL);
    assert_memory_equal(with, without, CLIPS * f->size * sizeof(float));
    free(with);
    free(without);
}

/* A place's features do not depend on the size of the batch; with mixup they depend on its partner
   alone. */
static void places_are_on_their_own(void **state)
{
    const fixture *f = *state;
    const dv_augment_config config = everything();
    float *many = batch_features(f, 1, 16, &config, &rng);
    float *few = batch_features(f, 1, 4, &config, &rng);
    assert_memory_equal(many, few, 4 * f->size * sizeof(float));
    free(many);
    free(few);
}

#define WITH_CLIPS(test) cmocka_unit_test_setup_teardown(test, make_fixture, drop_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(draws_are_uniform),
        cmocka_unit_test(noise_is_drawn_from_all),
        cmocka_unit_test(knots_are_normal),
        cmocka_unit_test(shares_are_of_beta),
        cmocka_unit_test(draws_are_reproducible),
        cmocka_unit_test(switches_do_not_touch_each_other),
        cmocka_unit_test(formulas_have_fixed_bits),
        cmocka_unit_test(nothing_is_drawn_from_nothing),
        IN_FOLDER(refusals),
        WITH_CLIPS(batch_is_single_clips),
        WITH_CLIPS(threads_change_nothing),
        WITH_CLIPS(evaluation_is_left_alone),
        WITH_CLIPS(places_are_on_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
