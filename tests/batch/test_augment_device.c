/*
 * Augmented batches made on a device against the host's, switch by switch and all together:
 *
 *     test_augment_device DEVICE     cudasim or cuda
 */
#include "tests/support/device.h"
#include "tests/support/feature_rig.h"
#include "tests/support/rounding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 6 /* three pairs */ };

static void nothing(dv_augment_config *config)
{
    config->shift = 0;
    config->gain = 0;
}

static void speed(dv_augment_config *config)
{
    config->speed = 1.15;
}

static void noise(dv_augment_config *config)
{
    config->noise = 0.8;
    config->noise_snr[0] = -5;
    config->noise_snr[1] = 30;
    config->noise_colors = 3;
    config->noise_within = 0.5;
}

static void reverberation(dv_augment_config *config)
{
    config->reverberation = 0.7;
    config->reverberation_time[0] = 50;
    config->reverberation_time[1] = 150;
}

static void clipping(dv_augment_config *config)
{
    config->clipping = 0.6;
    config->clipping_level[0] = -10;
    config->clipping_level[1] = 6;
}

static void gap(dv_augment_config *config)
{
    config->gap = 0.6;
    config->gap_time[0] = 1;
    config->gap_time[1] = 400;
}

static void telephone(dv_augment_config *config)
{
    config->telephone = 0.5;
}

static void equalizer(dv_augment_config *config)
{
    config->equalizer = 6;
}

static void warp(dv_augment_config *config)
{
    config->warp = 1.1;
}

static void frequency_masks(dv_augment_config *config)
{
    config->frequency_masks = 3;
    config->frequency_width = 8;
}

static void time_masks(dv_augment_config *config)
{
    config->time_masks = DV_MASKS;
    config->time_width = 40; /* more than a clip has frames */
}

static void mixup(dv_augment_config *config)
{
    config->mixup = 0.4;
}

static void everything(dv_augment_config *config)
{
    speed(config);
    noise(config);
    reverberation(config);
    clipping(config);
    gap(config);
    telephone(config);
    equalizer(config);
    warp(config);
    frequency_masks(config);
    time_masks(config);
    config->time_masks = 1;
    config->time_width = 5;
    mixup(config);
}

typedef struct switch_case {
    const char *name;
    void (*set)(dv_augment_config *config);
} switch_case;

static const switch_case cases[] = {
    {"nothing", nothing},
    {"speed", speed},
    {"noise", noise},
    {"reverberation", reverberation},
    {"clipping", clipping},
    {"gap", gap},
    {"telephone", telephone},
    {"equalizer", equalizer},
    {"warp", warp},
    {"frequency masks", frequency_masks},
    {"time masks", time_masks},
    {"mixup", mixup},
    {"everything", everything},
};

enum { CASES = sizeof cases / sizeof cases[0] };

/* Opens a rig without normalisation, which would hide a change of level. */
static void open_case(rig *r, const dv_backend *backend, int number, int type, int64_t batch)
{
    dv_features_config config = small(type);
    config.mean = config.deviation = DV_OVER_NONE;
    config.top_db = 0;
    begin_rig(r, backend, &config);
    cases[number].set(&r->augment);
    make_clips(r);
    finish_rig(r, batch);
}

static void require_targets_of_host(const rig *r, const int64_t *indices, const dv_rng *rng)
{
    float want[BATCH * CLASSES] = {0};
    for (int64_t i = 0; i < r->batch; i++)
        want[i * CLASSES + r->dataset.clips[indices[i]].label] = 1;
    dv_augment_mix(r->augmenter, rng, r->batch, CLASSES, want);
    float *got = download(r, r->targets, r->batch * CLASSES);
    for (int64_t i = 0; i < r->batch * CLASSES; i++)
        if (!(fabsf(got[i] - want[i]) < 1e-6F))
            fail_msg("target %d is %g, expected %g", (int)i, (double)got[i], (double)want[i]);
    free(got);
}

static void check_step(const rig *r, const char *name, uint64_t step)
{
    dv_batch_request request = training(r);
    const int64_t *indices = r->indices + (int64_t)(step % request.steps_per_epoch) * r->batch;
    dv_rng rng = {.seed = request.seed, .use = DV_RNG_AUGMENT, .step = step};
    char what[80];
    snprintf(what, sizeof what, "%s, type %d, step %d", name, dv_frontend_config(r->frontend)->type,
             (int)step);
    set_step(r, step);
    float *got = run(r, &request);
    require_like_host(r, what, got, indices, r->batch, &rng);
    require_targets_of_host(r, indices, &rng);
    free(got);
}

static void test_each_switch(void **state)
{
    for (int i = 0; i < CASES; i++) {
        for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
            rig r;
            open_case(&r, *state, i, type, BATCH - type % 2);
            check_step(&r, cases[i].name, 0);
            check_step(&r, cases[i].name, 7);
            close_rig(&r);
        }
    }
}

/* Each switch changes the features; otherwise the comparison with the host would mean nothing. */
static void test_each_switch_does_something(void **state)
{
    float *plain = NULL;
    for (int i = 0; i < CASES; i++) {
        rig r;
        open_case(&r, *state, i, DV_FEATURES_MEL, BATCH);
        dv_batch_request request = training(&r);
        set_step(&r, 3);
        float *got = run(&r, &request);
        size_t bytes = (size_t)(r.batch * r.size) * sizeof *got;
        if (plain == NULL) {
            plain = got;
        } else {
            assert_memory_not_equal(got, plain, bytes);
            free(got);
        }
        close_rig(&r);
    }
    free(plain);
}

/* An evaluation batch is equal to that of a store without augmentation, to the bit. */
static void test_evaluation_is_left_alone(void **state)
{
    for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
        rig plain, augmented;
        open_case(&plain, *state, 0, type, BATCH);
        open_case(&augmented, *state, CASES - 1, type, BATCH);
        dv_batch_request request = evaluation(&plain, 2, BATCH);
        float *want = run(&plain, &request);
        request = evaluation(&augmented, 2, BATCH);
        float *got = run(&augmented, &request);
        assert_memory_equal(got, want, (size_t)(BATCH * plain.size) * sizeof *got);
        require_targets(&augmented, augmented.indices + 2, BATCH);
        free(want);
        free(got);
        close_rig(&plain);
        close_rig(&augmented);
    }
}

/* A recorded batch draws for the device's present step, and repeats the same bits for it. */
static void test_replay(void **state)
{
    rig r;
    open_case(&r, *state, CASES - 1, DV_FEATURES_MEL, BATCH);
    dv_batch_request request = training(&r);
    must(dv_device_batches_of(r.backend)->batch(r.store, &request));
    must(r.backend->capture(r.context));
    must(dv_device_batches_of(r.backend)->batch(r.store, &request));
    void *recording;
    must(r.backend->end_capture(r.context, &recording));
    for (uint64_t step = 0; step < 4; step++) {
        set_step(&r, step);
        float *eager = run(&r, &request);
        poison(&r);
        must(r.backend->replay(r.context, recording));
        float *replayed = download(&r, r.features, r.batch * r.size);
        assert_memory_equal(eager, replayed, (size_t)(r.batch * r.size) * sizeof *eager);
        free(eager);
        free(replayed);
    }
    r.backend->release_captured(r.context, recording);
    close_rig(&r);
}

/* Features can have 16 bits; targets stay float. */
static void test_16_bits(void **state)
{
    for (int i = 0; i < 2; i++) {
        dv_dtype dtype = i == 0 ? DV_F16 : DV_BF16;
        rig r;
        open_case(&r, *state, CASES - 1, DV_FEATURES_MEL, BATCH);
        dv_batch_request request = training(&r);
        set_step(&r, 1);
        float *full = run(&r, &request);
        request.dtype = dtype;
        must(dv_device_batches_of(r.backend)->batch(r.store, &request));
        size_t count = (size_t)(r.batch * r.size);
        uint16_t *rounded = allocated(count, sizeof *rounded);
        must(r.backend->download(r.context, rounded, r.features, count * sizeof *rounded));
        for (size_t k = 0; k < count; k++) {
            float value = float_from_bits(dtype, rounded[k]);
            assert_true(fabsf(value - full[k]) <= (i == 0 ? 0.2F : 1.5F)); /* values to -100 dB */
        }
        free(full);
        free(rounded);
        close_rig(&r);
    }
}

#define ON(backend, test) cmocka_unit_test_prestate(test, (void *)(uintptr_t)(backend))

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DEVICE\n", argv[0]);
        return 2;
    }
    int status;
    const dv_backend *backend = device_backend(argv[1], &status);
    if (backend == NULL)
        return status;
    const struct CMUnitTest tests[] = {
        ON(backend, test_each_switch),
        ON(backend, test_each_switch_does_something),
        ON(backend, test_evaluation_is_left_alone),
        ON(backend, test_replay),
        ON(backend, test_16_bits),
    };
    return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
