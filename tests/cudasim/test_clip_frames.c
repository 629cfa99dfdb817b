/* The frames that the device front-end transforms are equal to the host front-end's, to the bit:
   the same random words, shift, gain, cut and window. */
#include "frontends/augment/augment.h"
#include "frontends/features/features.h"
#include "kernels/features.h"

#include <cuda_runtime_api.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CLIPS = 3, BATCH = 40, CLASSES = 3, PART = 16, SEED = 77 };

typedef struct fixture {
    dv_frontend *frontend;
    dv_feature_tables tables;
    dv_stored_clip clips[CLIPS];
    float *samples; /* samples of all clips */
    int32_t order[BATCH];
} fixture;

static void *allocated(size_t bytes)
{
    void *memory = calloc(bytes, 1);
    assert_non_null(memory);
    return memory;
}

static int open_fixture(void **state)
{
    static const int64_t counts[CLIPS] = {5000, 300, 1};
    fixture *f = allocated(sizeof *f);
    dv_features_config config;
    assert_int_equal(dv_fields_default(dv_features_fields, &config), DV_OK);
    config.duration = 0.1;
    config.n_fft = 256;
    config.window = 201;
    config.hop = 75;
    assert_int_equal(dv_frontend_create(&config, &f->frontend), DV_OK);
    dv_frontend_tables(f->frontend, &f->tables);
    f->samples = allocated((size_t)(counts[0] + counts[1] + counts[2]) * sizeof *f->samples);
    int64_t offset = 0;
    for (int32_t i = 0; i < CLIPS; i++) {
        dv_rng noise = {.seed = 1, .use = DV_RNG_TEST, .step = (uint64_t)i};
        f->clips[i] = (dv_stored_clip){offset, counts[i], counts[i] / 2, i, 0, 1};
        for (int64_t k = 0; k < counts[i]; k++)
            f->samples[offset + k] = dv_rng_uniform(&noise, (uint32_t)k) - 0.5F;
        offset += counts[i];
    }
    for (int i = 0; i < BATCH; i++)
        f->order[i] = i * 2 % CLIPS;
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    dv_frontend_free(f->frontend);
    free(f->samples);
    free(f);
    return 0;
}

static void *on_device(const void *host, size_t bytes)
{
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
    assert_int_equal(cudaMemcpy(memory, host, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return memory;
}

/* Computes the frames (frames, n_fft) of one place of a batch. */
static void host_frames(const fixture *f, const dv_augmenter *augmenter, uint32_t place,
                        uint64_t step, float *window, float *frames)
{
    const dv_feature_tables *tables = &f->tables;
    const dv_stored_clip *clip = &f->clips[f->order[place]];
    dv_rng rng = {.seed = SEED, .use = DV_RNG_AUGMENT, .step = step};
    dv_augment_draws draws;
    dv_augment_draw(augmenter, &rng, place, &draws);
    dv_frontend_cut(f->frontend, f->samples + clip->offset, clip->count, clip->center, draws.shift,
                    draws.gain, window);
    for (int64_t frame = 0; frame < tables->frames; frame++) {
        for (int64_t n = 0; n < tables->n_fft; n++) {
            int64_t t = frame * tables->hop + n - tables->n_fft / 2;
            float sample = t >= 0 && t < tables->samples ? window[t] : 0;
            frames[frame * tables->n_fft + n] = sample * tables->window[n];
        }
    }
}

static void check_part(const fixture *f, dv_clip_frames call, const dv_augmenter *augmenter,
                       uint64_t step)
{
    size_t each = (size_t)(call.frames * call.n_fft), count = (size_t)call.random.places * each;
    float *got = allocated(count * sizeof *got), *want = allocated(each * sizeof *want);
    float *window = allocated((size_t)call.length * sizeof *window);
    float *frames = on_device(got, count * sizeof *got);
    assert_int_equal(dv_launch_clip_frames(&call, frames, NULL, NULL), cudaSuccess);
    assert_int_equal(cudaMemcpy(got, frames, count * sizeof *got, cudaMemcpyDeviceToHost),
                     cudaSuccess);
    int64_t loud = 0;
    for (int64_t i = 0; i < call.random.places; i++) {
        host_frames(f, augmenter, (uint32_t)(call.random.place + i), step, window, want);
        for (size_t k = 0; k < each; k++) {
            float value = got[(size_t)i * each + k];
            if (memcmp(&value, &want[k], sizeof value) != 0)
                fail_msg("place %d, value %zu: %a, expected %a", (int)(call.random.place + i), k,
                         (double)value, (double)want[k]);
            loud += value > 0;
        }
    }
    assert_true(loud > (int64_t)(count / 20));
    cudaFree(frames);
    free(got);
    free(want);
    free(window);
}

static void test_frames_are_the_same_bits(void **state)
{
    static const double augments[][2] = {{0.02, 6}, {0, 0}, {0.01, 60}, {0.1, 0.5}};
    static const uint64_t steps[] = {0, 8, (uint64_t)3 << 40};
    const fixture *f = *state;
    dv_clip_frames call = {.length = f->tables.samples,
                           .frames = f->tables.frames,
                           .n_fft = f->tables.n_fft,
                           .lead = f->tables.lead,
                           .hop = f->tables.hop,
                           .classes = CLASSES,
                           .random = {.use = DV_RNG_AUGMENT, .seed = SEED},
                           .count = BATCH,
                           .order_count = BATCH,
                           .steps_per_epoch = 1};
    call.samples = on_device(f->samples, 5301 * sizeof(float));
    call.clips = on_device(f->clips, sizeof f->clips);
    call.window = on_device(f->tables.window, (size_t)call.n_fft * sizeof(float));
    call.order = on_device(f->order, sizeof f->order);
    for (int i = 0; i < 12; i++) {
        dv_augment_config augment;
        dv_augmenter *augmenter;
        assert_int_equal(dv_fields_default(dv_augment_fields, &augment), DV_OK);
        augment.shift = augments[i / 3][0];
        augment.gain = augments[i / 3][1];
        assert_int_equal(dv_augmenter_create(&augment, f->frontend, &augmenter), DV_OK);
        dv_progress progress = {.step = steps[i % 3]};
        dv_progress *device = on_device(&progress, sizeof progress);
        call.random.progress = device;
        call.augment = *dv_augmenter_tables(augmenter);
        for (int64_t place = 0; place < BATCH; place += PART) {
            call.random.place = place;
            call.random.places = BATCH - place < PART ? BATCH - place : PART;
            check_part(f, call, augmenter, progress.step);
        }
        dv_augmenter_free(augmenter);
        cudaFree(device);
    }
    cudaFree((void *)(uintptr_t)call.samples);
    cudaFree((void *)(uintptr_t)call.clips);
    cudaFree((void *)(uintptr_t)call.window);
    cudaFree((void *)(uintptr_t)call.order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_are_the_same_bits, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests_name("clip frames", tests, NULL, NULL);
}
