/*
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC'11). A random number is a function of seed, use, step and index alone. So it is the
 * same on every backend and with every number of threads, and a resumed run continues exactly.
 */
#ifndef DV_BASE_RNG_H
#define DV_BASE_RNG_H

#include <stdint.h>

/* The purposes of random numbers; their streams never overlap. */
typedef enum dv_rng_use {
    DV_RNG_INIT = 1, /* initial weights; step = parameter */
    DV_RNG_SHUFFLE,  /* order of the clips; step = epoch */
    DV_RNG_AUGMENT,  /* augmentation; step = training step, index from the place in the batch */
    DV_RNG_SPLIT,    /* data splits; step = kind of draw */
    DV_RNG_SYNTH,    /* synthetic voices */
    DV_RNG_TEST,     /* test data */
    DV_RNG_NOISE,    /* generated noises; step = number of the noise */
    DV_RNG_MIX, /* noise over recordings; step = key of the recording (frontends/noise/noise.h) */
    DV_RNG_DROPOUT = 256, /* use = this + node number; step = training step, index = element */
} dv_rng_use;

typedef struct dv_rng {
    uint64_t seed;
    uint32_t use;
    uint64_t step;
} dv_rng;

/* Four independent 32-bit words for this index (0 <= index < 2^32). */
void dv_rng_words(const dv_rng *rng, uint32_t index, uint32_t words[4]);

/* Uniform in [0, 1) from 32 bits: the float carries the top 24. */
static inline float dv_uniform_from_bits(uint32_t bits)
{
    return (float)(bits >> 8) * (1.0F / 16777216.0F);
}

/* Word 0 of this index, uniform in [0, 1). */
float dv_rng_uniform(const dv_rng *rng, uint32_t index);

/* Standard normal by Box and Muller from words 0 and 1 of this index, computed in double. */
double dv_rng_normal(const dv_rng *rng, uint32_t index);

/* Shuffles `order` by Fisher and Yates. */
void dv_rng_shuffle(const dv_rng *rng, int64_t *order, int64_t count);

#endif
