/*
 * Augmentation: what changes at random each time a clip is trained on.
 *
 * A draw is a function of seed, training step and place in the batch alone (DV_RNG_AUGMENT), and
 * is the same to the bit on every backend: the words are Philox's, the shift is integer
 * arithmetic, and the gain uses float additions and multiplications only, each rounded by itself
 * (no fused multiply-add, no library function). A GPU kernel repeats the two inline formulas with
 * __fadd_rn and __fmul_rn.
 */
#ifndef DV_FRONTENDS_AUGMENT_H
#define DV_FRONTENDS_AUGMENT_H

#include "engine/core/field.h"
#include "engine/core/rng.h"

typedef struct dv_augment_config {
    double shift; /* s, the largest shift in time, either way */
    double gain;  /* dB, the largest change of level, either way */
} dv_augment_config;

extern const dv_field dv_augment_fields[]; /* section `augment` */

/*
 * The words of one place in a batch: index = place, place < 2^24. Words 0 and 1 are the shift and
 * the gain; words 2 and 3, and the indices with other high bytes, are free for augmentations to
 * come, which so leave these two as they are.
 */
enum { DV_AUGMENT_PLACES = 1 << 24 };

/* Uniform among -most .. most; 0 <= most < 2^31. */
static inline int64_t dv_augment_shift(uint32_t bits, int64_t most)
{
    uint64_t choices = 2 * (uint64_t)most + 1;
    return (int64_t)(((uint64_t)bits * choices) >> 32) - most;
}

/*
 * 2^x for x uniform in [-most, most): uniform in decibels for most = dB / 6.0206. |most| <= 20.
 * 2^f by the Taylor series of exp(f ln 2) to the 6th power, |f| <= 1/2: error below 1.3e-7.
 */
static inline float dv_augment_gain(uint32_t bits, float most)
{
    float x = most * (2.0F * dv_uniform_from_bits(bits) - 1.0F);
    int32_t whole = (int32_t)(x < 0.0F ? x - 0.5F : x + 0.5F);
    float f = x - (float)whole;
    float power = 1.5403530e-4F;
    power = power * f + 1.3333558e-3F;
    power = power * f + 9.6181291e-3F;
    power = power * f + 5.5504109e-2F;
    power = power * f + 2.4022651e-1F;
    power = power * f + 6.9314718e-1F;
    power = power * f + 1.0F;
    for (; whole > 0; whole--)
        power *= 2.0F;
    for (; whole < 0; whole++)
        power *= 0.5F;
    return power;
}

/* The draw for one place in a batch: *shift in samples, *gain as a factor. */
void dv_augment_draw(const dv_augment_config *config, const dv_rng *rng, uint32_t place_in_batch,
                     int64_t sample_rate, int64_t *shift, float *gain);

#endif
