/* Shared by the files of this folder. */
#ifndef DV_AUGMENT_INTERNAL_H
#define DV_AUGMENT_INTERNAL_H

#include "frontends/augment/augment.h"

struct dv_augmenter {
    dv_augment_tables tables; /* points to the arrays below, which are owned */
    int64_t sample_rate, length, bins, rows, frames;
    int64_t history; /* samples before the window that reflections reach back to */
    float *noise_samples, *noise_factors;
    dv_noise *noises;
    float *resampler, *telephone, *mixing;
};

/* The random words of a block of a place (kernels/formulas/augment_math.h). */
void dv__augment_words(const dv_rng *rng, uint32_t place, uint32_t block, uint32_t words[4]);

/* Fills the bank with the recorded and the generated noises. */
dv_status dv__augment_noises(const dv_augment_config *config, int64_t sample_rate,
                             dv_augmenter *augmenter);

/* Computes filters (DV_RESAMPLE_FILTERS, DV_RESAMPLE_PHASES, DV_RESAMPLE_TAPS) for factors up to
   `most`. */
void dv__augment_resampler(double most, float *filters);

/* Computes gains (bins) of the power. */
void dv__augment_telephone(int64_t bins, int64_t sample_rate, float *gains);

/* Computes quantiles (DV_MIX_POINTS + 1) of Beta(alpha, alpha). */
void dv__augment_mixing(double alpha, float *quantiles);

#endif
