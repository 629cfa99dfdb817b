/* A clip on the bench: an augmenter on a front-end that gives decibels as they are, and one window,
   of 8 kHz. What fails, fails the test at once. */
#ifndef DV_TESTS_AUGMENT_BENCH_H
#define DV_TESTS_AUGMENT_BENCH_H

#include "frontends/augment/augment.h"
#include "tests/support/must.h"

enum { RATE = 8000, LENGTH = 8000, LONG = 24000 /* a clip that fills every window */ };

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

/* Nothing is augmented until the configuration says so; bench_finish makes what it asks for. */
bench bench_begin(void);
void bench_finish(bench *b, int type);
void bench_end(bench *b);

/* The clip becomes a sine of amplitude 0.5. */
void bench_tone(bench *b, double hz);

/* What is drawn in this step, the window that it makes, and the features of that. */
dv_rng bench_rng(uint64_t step);
void bench_window(bench *b, uint64_t step);
void bench_features(bench *b);

#endif
