/* A bench augments one clip at 8 kHz: an augmenter on a front-end that does not normalise its
   decibels, and one window. A failure fails the test at once. */
#ifndef DV_TESTS_AUGMENT_BENCH_H
#define DV_TESTS_AUGMENT_BENCH_H

#include "frontends/augment/augment.h"
#include "tests/support/must.h"

enum { RATE = 8000, LENGTH = 8000, LONG = 24000 /* samples of a clip that fills every window */ };

static const double pi = 3.141592653589793;

typedef struct bench {
    dv_augment_config config;
    dv_frontend *frontend;
    dv_augmenter *augmenter;
    float *clip; /* (LONG) */
    float *window, *features;
    void *scratch, *features_scratch;
    dv_augment_draws draws;
} bench;

/* bench_begin switches all augmentation off. The test then changes bench.config, and bench_finish
   makes the augmenter for it. */
bench bench_begin(void);
void bench_finish(bench *b, int type);
void bench_end(bench *b);

/* Makes the clip a sine of amplitude 0.5. */
void bench_tone(bench *b, double hz);

/* The random numbers of a step. bench_window draws and makes the window, bench_features its
   features. */
dv_rng bench_rng(uint64_t step);
void bench_window(bench *b, uint64_t step);
void bench_features(bench *b);

#endif
