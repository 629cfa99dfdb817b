/*
 * What augmentation draws from: limits and tables, in the host's memory for the front-end and in a
 * device's for its kernels. What they mean: frontends/augment/augment.h; the formulas:
 * augment_math.h.
 */
#ifndef DV_FORMULAS_AUGMENT_TABLES_H
#define DV_FORMULAS_AUGMENT_TABLES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DV_RESAMPLE_TAPS = 32,
    DV_RESAMPLE_PHASES = 512,
    DV_RESAMPLE_FILTERS = 9, /* the first for factors up to 1, then ever lower cut-offs */
    DV_NOISE_STRIDE = 256,   /* samples between two places where a stretch of noise begins */
    DV_REFLECTIONS = 24,
    DV_EQUALIZER_KNOTS = 7,
    DV_MASKS = 4, /* of each kind, at most */
    DV_MIX_POINTS = 1024,
};

typedef struct dv_augment_limits {
    int64_t max_shift;                   /* samples, either way */
    float max_gain, max_speed, max_warp; /* powers of two, either way */
    int64_t most_step;                   /* the largest factor of speed, times 2^32 */
    float noise, reverberation, clipping, gap, telephone; /* probabilities */
    float noise_within;                                   /* probability, of noise that is there */
    float noise_level; /* amplitude against the clip's RMS, in the middle of the range */
    float noise_range; /* powers of two, either way */
    float clipping_level, clipping_range; /* the same of the level above which all is cut */
    int64_t least_gap, most_gap;          /* samples */
    int64_t least_decay, most_decay;      /* samples in which a reverberation falls by 60 dB */
    float equalizer;                      /* deviation of a knot, powers of two of the power */
    int32_t frequency_masks, frequency_width, time_masks, time_width;
} dv_augment_limits;

/* One noise of a bank. */
typedef struct dv_noise {
    int64_t offset;        /* of its first sample */
    int64_t first, starts; /* of its factors */
} dv_noise;

typedef struct dv_noise_bank {
    const float *samples;   /* (sample_count) of all noises, each a window long at least */
    const float *factors;   /* (start_count): 1 / RMS of the window from there on; 0: silence */
    const dv_noise *noises; /* (count) */
    int64_t count, sample_count, start_count;
} dv_noise_bank;

/* Tables are NULL where nothing needs them. */
typedef struct dv_augment_tables {
    dv_augment_limits limits;
    dv_noise_bank noise;
    const float *resampler; /* (DV_RESAMPLE_FILTERS, DV_RESAMPLE_PHASES, DV_RESAMPLE_TAPS) */
    const float *telephone; /* (n_fft / 2 + 1): gain of the power */
    const float *mixing;    /* (DV_MIX_POINTS + 1): quantiles of the share of a clip */
} dv_augment_tables;

/* What is drawn for one place, but for masks and reflections, which are made of words when they
   are needed. */
typedef struct dv_augment_draws {
    int64_t shift;    /* samples */
    int64_t step;     /* the factor of speed, times 2^32 */
    float gain;       /* factor */
    float warp;       /* factor of the frequencies */
    float noise;      /* amplitude: its RMS against the clip's, over that of the stretch; 0: none */
    int64_t noise_at; /* sample of the bank */
    bool noise_within;   /* it is heard as long as the clip is, not in all of the window */
    int64_t decay;       /* samples until 60 dB below; 0: no reverberation */
    float reflected;     /* amplitude of all reflections against the direct sound */
    float clipping;      /* the level beyond which all is cut, against the clip's RMS; 0: none */
    int32_t gap, gap_at; /* missing samples, and the first of them in the window; 0: none is */
    bool telephone;
    float knots[DV_EQUALIZER_KNOTS]; /* powers of two of the power */
    float share;                     /* of the clip itself where two are mixed */
} dv_augment_draws;

#endif
