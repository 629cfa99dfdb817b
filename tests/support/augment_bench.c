/* A clip that is augmented, for the tests of augmentation. */
#include "tests/support/augment_bench.h"

#include <math.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

bench bench_begin(void)
{
    bench b = {.clip = allocated(LONG, sizeof(float))};
    must(dv_fields_default(dv_augment_fields, &b.config));
    b.config.shift = b.config.gain = 0;
    return b;
}

void bench_finish(bench *b, int type)
{
    dv_features_config features;
    must(dv_fields_default(dv_features_fields, &features));
    features.type = type;
    features.mean = features.deviation = DV_OVER_NONE;
    features.top_db = 0;
    must(dv_frontend_create(&features, &b->frontend));
    must(dv_augmenter_create(&b->config, b->frontend, &b->augmenter));
    size_t size = (size_t)(dv_frontend_rows(b->frontend) * dv_frontend_frames(b->frontend));
    b->window = allocated(LENGTH, sizeof *b->window);
    b->features = allocated(size, sizeof *b->features);
    b->scratch = aligned_alloc(64, (dv_augment_scratch(b->augmenter) + 63) / 64 * 64);
    b->features_scratch = aligned_alloc(64, (dv_frontend_scratch(b->frontend) + 63) / 64 * 64);
    assert_true(b->scratch != NULL && b->features_scratch != NULL);
}

void bench_end(bench *b)
{
    dv_augmenter_free(b->augmenter);
    dv_frontend_free(b->frontend);
    free(b->clip);
    free(b->window);
    free(b->features);
    free(b->scratch);
    free(b->features_scratch);
}

void bench_tone(bench *b, double hz)
{
    for (int i = 0; i < LONG; i++)
        b->clip[i] = (float)(0.5 * sin(2 * pi * hz * (i - LONG / 2) / RATE));
}

dv_rng bench_rng(uint64_t step)
{
    return (dv_rng){.seed = 4, .use = DV_RNG_AUGMENT, .step = step};
}

void bench_window(bench *b, uint64_t step)
{
    dv_rng rng = bench_rng(step);
    dv_augment_draw(b->augmenter, &rng, 0, &b->draws);
    dv_augment_window(b->augmenter, &rng, 0, &b->draws, b->clip, LONG, LONG / 2, b->window,
                      b->scratch);
}

void bench_features(bench *b)
{
    dv_spectral_change change;
    dv_augment_spectrum(b->augmenter, &b->draws, &change, b->scratch);
    dv_frontend_compute_changed(b->frontend, b->window, &change, b->features, b->features_scratch);
}
