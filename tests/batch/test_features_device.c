/*
 * Batches of features made on a device against the front-end's reference and its fast form:
 *
 *     test_features_device DEVICE     cudasim or cuda
 */
#include "engine/backends/open.h"
#include "frontends/audio/audio.h"
#include "tests/support/device.h"
#include "tests/support/feature_rig.h"
#include "tests/support/rounding.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void require_same(const float *a, const float *b, int64_t count)
{
    assert_memory_equal(a, b, (size_t)count * sizeof *a);
}

static void require_refused(dv_status got, dv_status code, const char *part)
{
    assert_int_equal(got, code);
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

/* ---- Evaluation ---- */

static void test_every_kind_and_normalization(void **state)
{
    for (int i = 0; i < 27; i++) {
        dv_features_config config = small(i % 3);
        config.mean = i / 3 % 3;
        config.deviation = i / 9;
        rig r;
        open_rig(&r, *state, &config, CLIPS);
        dv_batch_request request = evaluation(&r, 0, CLIPS);
        float *got = run(&r, &request);
        for (int64_t k = 0; k < CLIPS; k++) {
            char what[80];
            snprintf(what, sizeof what, "type %d, mean %d, deviation %d, clip %d", config.type,
                     config.mean, config.deviation, (int)r.indices[k]);
            require_like_reference(&r, what, got + k * r.size, r.indices[k]);
        }
        require_targets(&r, r.indices, CLIPS);
        free(got);
        close_rig(&r);
    }
}

typedef struct size_case {
    double duration;
    int64_t n_fft, window, hop, n_mels, n_mfcc;
    double top_db;
    int placement;
} size_case;

static const size_case size_cases[] = {
    {1.0, 1024, 1024, 256, 64, 13, 80, DV_PLACE_ENERGY},
    {0.05, 16, 2, 77, 3, 1, 0, DV_PLACE_START},
    {0.1, 64, 63, 33, 7, 7, 60, DV_PLACE_MIDDLE},
    {0.05, 32, 32, 1, 5, 2, 80, DV_PLACE_START},
    {0.25, 2048, 1999, 801, 128, 40, 0, DV_PLACE_ENERGY},
    {0.3, 512, 400, 5000, 40, 20, 80, 0},
    {0.5, 32768, 32768, 3001, 200, 64, 80, DV_PLACE_MIDDLE},
};

static void test_sizes(void **state)
{
    for (size_t i = 0; i < 3 * sizeof size_cases / sizeof size_cases[0]; i++) {
        const size_case *item = &size_cases[i / 3];
        dv_features_config config = defaults();
        config.type = (int)(i % 3);
        config.duration = item->duration;
        config.n_fft = item->n_fft;
        config.window = item->window;
        config.hop = item->hop;
        config.n_mels = item->n_mels;
        config.n_mfcc = item->n_mfcc;
        config.top_db = item->top_db;
        config.placement = item->placement;
        config.level = (int)(i % 2);
        rig r;
        open_rig(&r, *state, &config, CLIPS);
        dv_batch_request request = evaluation(&r, 0, CLIPS);
        float *got = run(&r, &request);
        char what[80];
        snprintf(what, sizeof what, "type %d, n_fft %d", config.type, (int)config.n_fft);
        /* In the largest transform a point 80 dB below the loudest is mostly rounding on both
           sides. Both forms are compared with the reference instead, the host's in test_features.
         */
        if (item->n_fft > 16384) {
            for (int64_t k = 0; k < CLIPS; k++)
                require_like_reference(&r, what, got + k * r.size, r.indices[k]);
        } else {
            require_like_host(&r, what, got, r.indices, CLIPS, NULL);
        }
        free(got);
        close_rig(&r);
    }
}

/* A batch fills the rows of its places and leaves those behind it alone. */
static void test_part_of_a_batch(void **state)
{
    dv_features_config config = small(DV_FEATURES_MFCC);
    rig r;
    open_rig(&r, *state, &config, 6);
    dv_batch_request request = evaluation(&r, 4, 5);
    float *got = run(&r, &request);
    require_like_host(&r, "five", got, r.indices + 4, 5, NULL);
    require_targets(&r, r.indices + 4, 5);
    for (int64_t i = 5 * r.size; i < 6 * r.size; i++)
        assert_true(isnan(got[i]));
    free(got);

    int64_t last[6] = {r.indices[21], r.indices[22], r.indices[22],
                       r.indices[22], r.indices[22], r.indices[22]};
    request = evaluation(&r, 21, 6);
    got = run(&r, &request);
    require_like_host(&r, "beyond the end", got, last, 6, NULL);
    require_targets(&r, last, 6);
    free(got);

    request.targets = NULL;
    got = run(&r, &request);
    float *targets = download(&r, r.targets, r.batch * CLASSES);
    for (int64_t i = 0; i < r.batch * CLASSES; i++)
        assert_true(isnan(targets[i]));
    free(targets);
    free(got);
    close_rig(&r);
}

/* ---- Training ---- */

static void check_step(const rig *r, uint64_t step)
{
    dv_batch_request request = training(r);
    uint64_t place = step % request.steps_per_epoch;
    const int64_t *indices = r->indices + (int64_t)place * r->batch;
    dv_rng rng = {.seed = request.seed, .use = DV_RNG_AUGMENT, .step = step};
    char what[80];
    snprintf(what, sizeof what, "type %d, step %" PRIu64, dv_frontend_config(r->frontend)->type,
             step);
    set_step(r, step);
    float *got = run(r, &request);
    require_like_host(r, what, got, indices, r->batch, &rng);
    require_targets(r, indices, r->batch);
    free(got);
}

static void test_steps(void **state)
{
    static const double augments[][2] = {{0.1, 6}, {0, 0}, {0.03, 0}, {0, 12}, {2, 60}};
    static const uint64_t steps[] = {0, 1, 3, 4, 4000000007U, (uint64_t)1 << 33 | 5};
    for (int i = 0; i < 15; i++) {
        dv_features_config config = small(i % 3);
        config.mean = config.deviation = DV_OVER_NONE; /* normalisation would hide a gain */
        config.top_db = 0;
        rig r;
        begin_rig(&r, *state, &config);
        r.augment.shift = augments[i / 3][0];
        r.augment.gain = augments[i / 3][1];
        make_clips(&r);
        finish_rig(&r, 5);
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
            check_step(&r, steps[k]);
        close_rig(&r);
    }
}

static void test_always_first(void **state)
{
    dv_features_config config = small(DV_FEATURES_MFCC);
    rig r;
    open_rig(&r, *state, &config, 5);
    dv_batch_request request = training(&r);
    set_step(&r, 0);
    float *first = run(&r, &request);
    request.always_first = true;
    set_step(&r, 7);
    float *again = run(&r, &request);
    require_same(first, again, r.batch * r.size);
    require_targets(&r, r.indices, r.batch);
    request.always_first = false;
    float *other = run(&r, &request);
    assert_memory_not_equal(first, other, (size_t)r.size * sizeof *other);
    free(first);
    free(again);
    free(other);
    close_rig(&r);
}

/* A batch of more than one part: 31 clips of 65 frames and 8192 points fill a part. */
static void test_batch_in_parts(void **state)
{
    enum { MANY = 33 };
    dv_features_config config = small(DV_FEATURES_MEL);
    config.duration = 1;
    config.n_fft = config.window = 8192;
    config.hop = 125;
    rig r;
    begin_rig(&r, *state, &config);
    make_clips(&r);
    finish_rig(&r, MANY);
    int32_t order[MANY];
    int64_t indices[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        indices[i] = i * 3 % CLIPS;
        order[i] = (int32_t)indices[i];
    }
    r.backend->release(r.context, r.order);
    r.order = on_device(&r, order, sizeof order);
    dv_batch_request request = training(&r);
    request.order_count = MANY;
    request.steps_per_epoch = 1;
    dv_rng rng = {.seed = request.seed, .use = DV_RNG_AUGMENT, .step = 9};
    set_step(&r, 9);
    float *got = run(&r, &request);
    require_like_host(&r, "in parts", got, indices, MANY, &rng);
    require_targets(&r, indices, MANY);
    free(got);
    close_rig(&r);
}

/* ---- Types and recordings ---- */

/* Features in 16 bits are the same values, rounded. */
static void test_16_bits(void **state)
{
    for (int i = 0; i < 6; i++) {
        dv_dtype dtype = i % 2 == 0 ? DV_F16 : DV_BF16;
        dv_features_config config = small(i / 2);
        rig r;
        open_rig(&r, *state, &config, CLIPS);
        dv_batch_request request = evaluation(&r, 0, CLIPS);
        float *full = run(&r, &request);
        request.dtype = dtype;
        must(dv_device_batches_of(r.backend)->batch(r.store, &request));
        size_t count = (size_t)(CLIPS * r.size);
        uint16_t *rounded = allocated(count, sizeof *rounded);
        must(r.backend->download(r.context, rounded, r.features, count * sizeof *rounded));
        for (size_t k = 0; k < count; k++)
            assert_int_equal(rounded[k], bits_from_float(dtype, full[k]));
        require_targets(&r, r.indices, CLIPS);
        free(full);
        free(rounded);
        close_rig(&r);
    }
}

/* A recorded batch is made for the device's present step. */
static void test_replay(void **state)
{
    dv_features_config config = small(DV_FEATURES_MFCC);
    rig r;
    open_rig(&r, *state, &config, 5);
    dv_batch_request request = training(&r);
    must(dv_device_batches_of(r.backend)->batch(r.store, &request));
    must(r.backend->capture(r.context));
    must(dv_device_batches_of(r.backend)->batch(r.store, &request));
    void *recording;
    must(r.backend->end_capture(r.context, &recording));
    for (uint64_t step = 0; step < 6; step++) {
        set_step(&r, step);
        float *eager = run(&r, &request);
        poison(&r);
        must(r.backend->replay(r.context, recording));
        float *replayed = download(&r, r.features, r.batch * r.size);
        require_same(eager, replayed, r.batch * r.size);
        require_targets(&r, r.indices + (int64_t)(step % request.steps_per_epoch) * r.batch,
                        r.batch);
        free(eager);
        free(replayed);
    }
    r.backend->release_captured(r.context, recording);
    close_rig(&r);
}

static void test_same_bits_again(void **state)
{
    for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
        dv_features_config config = small(type);
        rig r, other;
        open_rig(&r, *state, &config, 5);
        open_rig(&other, *state, &config, 5);
        dv_batch_request request = training(&r), same = training(&other);
        float *first = run(&r, &request), *second = run(&other, &same);
        float *third = run(&other, &same);
        require_same(first, second, r.batch * r.size);
        require_same(first, third, r.batch * r.size);
        free(first);
        free(second);
        free(third);
        close_rig(&r);
        close_rig(&other);
    }
}

/* ---- Refusals ---- */

static void test_what_no_store_is_made_of(void **state)
{
    dv_features_config config = small(DV_FEATURES_MFCC);
    rig r;
    begin_rig(&r, *state, &config);
    make_clips(&r);
    dv_clip_view views[CLIPS];
    dv_clip_list list;
    dv_feature_tables tables;
    must(dv_augmenter_create(&r.augment, r.frontend, &r.augmenter));
    view_clips(&r, views, &list);
    dv_frontend_tables(r.frontend, &tables);
    const dv_device_batches *impl = dv_device_batches_of(r.backend);
    dv_clip_store *store = (dv_clip_store *)(uintptr_t)1;
    require_refused(impl->create(r.context, &tables, &list, 0, &store), DV_EARG, "a batch of 0");
    assert_null(store);
    views[2].label = CLASSES;
    require_refused(impl->create(r.context, &tables, &list, 4, &store), DV_EARG,
                    "clip 2 has 800 samples and label 4 of 4 classes");
    views[2].label = 0;
    views[2].count = (int64_t)1 << 48;
    require_refused(impl->create(r.context, &tables, &list, 4, &store), DV_ENOMEM,
                    "7 clips with 281474976721895 samples, 72 transforms of n_fft 256: ");
    assert_null(store);
    views[2].count = 800;
    tables.frames = 65536;
    tables.n_fft = 32768;
    require_refused(impl->create(r.context, &tables, &list, 4, &store), DV_EUNSUPPORTED,
                    "65536 frames of n_fft 32768");
    list.count = 0;
    require_refused(impl->create(r.context, &tables, &list, 4, &store), DV_EUNSUPPORTED, "65536");
    tables.frames = 10;
    require_refused(impl->create(r.context, &tables, &list, 4, &store), DV_EARG, "0 clips");
    impl->destroy(NULL);
    close_rig(&r);
}

static void test_what_no_batch_is_made_of(void **state)
{
    dv_features_config config = small(DV_FEATURES_MFCC);
    rig r;
    open_rig(&r, *state, &config, 5);
    const dv_device_batches *impl = dv_device_batches_of(r.backend);
    dv_batch_request request = evaluation(&r, 0, 6);
    require_refused(impl->batch(r.store, &request), DV_EARG, "a batch of 6 clips, must be 1 to 5");
    request = evaluation(&r, ORDER, 5);
    require_refused(impl->batch(r.store, &request), DV_EARG,
                    "begins at place 23, and the order has 23 clips");
    request = training(&r);
    request.steps_per_epoch = 5;
    require_refused(impl->batch(r.store, &request), DV_EARG, "an epoch of 5 batches of 5 clips");
    request.steps_per_epoch = 0;
    require_refused(impl->batch(r.store, &request), DV_EARG, "0 batches of 5 clips");
    close_rig(&r);
}

/* ---- Recordings, and the trainer's source ---- */

static bool read_recordings(rig *r)
{
    static const char *const names[CLIPS] = {"0_jackson_0", "1_nicolas_5", "3_theo_7",
                                             "4_lucas_9",   "7_jackson_3", "8_yweweler_2",
                                             "9_george_11"};
    const char *folder = getenv("DECAVOX_DATA") != NULL ? getenv("DECAVOX_DATA") : "../shared/data";
    r->dataset.clips = allocated(CLIPS, sizeof *r->dataset.clips);
    r->dataset.count = CLIPS;
    for (int i = 0; i < CLIPS; i++) {
        char path[512];
        dv_audio audio;
        snprintf(path, sizeof path, "%s/fsdd/%s.wav", folder, names[i]);
        if (access(path, R_OK) != 0) {
            print_message("skipped: %s is not there (set DECAVOX_DATA)\n", path);
            return false;
        }
        must(dv_audio_read(path, RATE, 10, NULL, &audio));
        dv_clip *clip = &r->dataset.clips[i];
        clip->samples = audio.samples;
        clip->count = audio.count;
        clip->label = i % CLASSES;
        clip->center = dv_frontend_prepare(r->frontend, clip->samples, clip->count);
    }
    return true;
}

static void test_recordings(void **state)
{
    for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
        dv_features_config config = defaults();
        config.type = type;
        rig r;
        begin_rig(&r, *state, &config);
        bool there = read_recordings(&r);
        if (there) {
            finish_rig(&r, CLIPS);
            dv_batch_request request = evaluation(&r, 0, CLIPS);
            float *got = run(&r, &request);
            require_like_host(&r, "recordings", got, r.indices, CLIPS, NULL);
            free(got);
            check_step(&r, 2);
        }
        close_rig(&r);
        if (!there)
            skip();
    }
}

/* Asks for training clips and then for validation clips, as the trainer does. */
static void test_source(void **state)
{
    enum { TRAIN = 12, VALIDATION = 6, BATCH = 8 };
    dv_context *context;
    tones task;
    must(dv_context_open_backend(*state, 1, (dv_log){0}, &context));
    tones_open(&task, 3, 4, 2, false);
    assert_null(task.source.device_batch);
    tones_on_device(&task, context);
    assert_non_null(task.source.device_batch);
    int64_t size = task.source.rows * task.source.frames;
    size_t bytes = (size_t)(BATCH * size) * sizeof(float);
    rig r = {.context = context, .backend = *state};
    int64_t places[BATCH] = {11, 3, 8, 0, 5, 7, 2, 9};
    int32_t order[BATCH] = {11, 3, 8, 0, 5, 7, 2, 9};
    int32_t validation[VALIDATION] = {12, 13, 14, 15, 16, 17};
    int32_t *orders[2] = {on_device(&r, order, sizeof order),
                          on_device(&r, validation, sizeof validation)};
    dv_progress progress = {.step = 3};
    dv_batch_request request = {.count = BATCH,
                                .order = orders[0],
                                .order_count = BATCH,
                                .progress = on_device(&r, &progress, sizeof progress),
                                .steps_per_epoch = 1,
                                .seed = 5,
                                .features = on_device(&r, NULL, bytes),
                                .targets = on_device(&r, NULL, BATCH * 3 * sizeof(float))};
    r.progress = (dv_progress *)(uintptr_t)request.progress;
    float *want = allocated(2 * (size_t)(BATCH * size), sizeof *want);
    float targets[BATCH * 3];
    for (int i = 0; i < 2; i++) {
        int64_t count = i == 0 ? BATCH : VALIDATION;
        if (i == 0) {
            must(task.source.train_batch(task.source.user, places, count, 5, 3, want, targets));
        } else {
            request.progress = NULL;
            request.order = orders[1];
            request.order_count = request.count = VALIDATION;
            must(task.source.validation_batch(task.source.user, 0, count, want, targets));
        }
        must(task.source.device_batch(task.source.user, &request));
        float *got = download(&r, request.features, count * size);
        float *marks = download(&r, request.targets, count * 3);
        require_same(marks, targets, count * 3);
        for (int64_t k = 0; k < count * size; k++)
            assert_true(fabsf(got[k] - want[k]) < 1e-3F);
        free(got);
        free(marks);
    }
    free(want);
    void *const memory[] = {orders[0], orders[1], r.progress, request.features, request.targets};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        r.backend->release(context, memory[i]);
    tones_close(&task);
    dv_context_close(context);
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
        ON(backend, test_every_kind_and_normalization),
        ON(backend, test_sizes),
        ON(backend, test_part_of_a_batch),
        ON(backend, test_steps),
        ON(backend, test_always_first),
        ON(backend, test_batch_in_parts),
        ON(backend, test_16_bits),
        ON(backend, test_replay),
        ON(backend, test_same_bits_again),
        ON(backend, test_what_no_store_is_made_of),
        ON(backend, test_what_no_batch_is_made_of),
        ON(backend, test_recordings),
        ON(backend, test_source),
    };
    return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
