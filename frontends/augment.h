/*
 * Augmentation: what changes at random each time a clip is trained on.
 *
 * A draw is a function of seed, training step and place in the batch alone (DV_RNG_AUGMENT), and
 * is the same to the bit on every backend: the words are Philox's, the shift is integer
 * arithmetic, and the gain uses float additions and multiplications only, each rounded by itself
 * (no fused multiply-add, no library function): kernels/augment_math.h.
 */
#ifndef DV_FRONTENDS_AUGMENT_H
#define DV_FRONTENDS_AUGMENT_H

#include "engine/core/field.h"
#include "engine/core/rng.h"
#include "kernels/augment_math.h"

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

/* The largest draws: samples, and powers of two. */
int64_t dv_augment_max_shift(const dv_augment_config *config, int64_t sample_rate);
float dv_augment_max_gain(const dv_augment_config *config);

/* The draw for one place in a batch: *shift in samples, *gain as a factor. */
void dv_augment_draw(const dv_augment_config *config, const dv_rng *rng, uint32_t place_in_batch,
                     int64_t sample_rate, int64_t *shift, float *gain);

#endif
