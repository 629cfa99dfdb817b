/*
 * The limits and tables for the draws of augmentation. The front-end has them in the host's memory,
 * the kernels in the device's. frontends/augment/augment.h says what they mean, and augment_math.h
 * has the formulas.
 */
#ifndef DV_FORMULAS_AUGMENT_TABLES_H
#define DV_FORMULAS_AUGMENT_TABLES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DV_RESAMPLE_TAPS = 32,
    DV_RESAMPLE_PHASES = 512,
    DV_RESAMPLE_FILTERS = 9, /* the first is for factors up to 1, the next have lower cut-offs */
    DV_NOISE_STRIDE = 256,   /* samples between two places where a stretch of noise may begin */
    DV_REFLECTIONS = 24,
    DV_EQUALIZER_KNOTS = 7,
    DV_MASKS = 4, /* the most masks of rows, and of frames */
    DV_MIX_POINTS = 1024,
};

typedef struct dv_augment_limits {
    int64_t max_shift;                   /* samples, either way */
    float max_gain, max_speed, max_warp; /* powers of two, either way */
    int64_t most_step;                   /* the largest factor of speed, times 2^32 */
    float noise, reverberation, clipping, gap, telephone; /* probabilities */
    float noise_within;                                   /* probability, if there is noise */
    float noise_level;                    /* amplitude against the clip's RMS, at mid-range */
    float noise_range;                    /* powers of two, either way */
    float clipping_level, clipping_range; /* the same for the level of clipping */
    int64_t least_gap, most_gap;          /* samples */
    int64_t least_decay, most_decay;      /* samples in which a reverberation falls by 60 dB */
    float equalizer;                      /* deviation of a knot, powers of two of the power */
    int32_t frequency_masks, frequency_width, time_masks, time_width;
} dv_augment_limits;

/* One noise of a bank. */
typedef struct dv_noise {
    int64_t offset;        /* index of its first sample */
    int64_t first, starts; /* index of its first factor, and number of its factors */
} dv_noise;

typedef struct dv_noise_bank {
    const float *samples; /* (sample_count), all noises, each at least as long as a window */
    const float *factors; /* (start_count), 1 / RMS of the window that begins there; 0 if silent */
    const dv_noise *noises; /* (count) */
    int64_t count, sample_count, start_count;
} dv_noise_bank;

/* Tables that are not needed are NULL. */
typedef struct dv_augment_tables {
    dv_augment_limits limits;
    dv_noise_bank noise;
    const float *resampler; /* (DV_RESAMPLE_FILTERS, DV_RESAMPLE_PHASES, DV_RESAMPLE_TAPS) */
    const float *telephone; /* (n_fft / 2 + 1), gains of the power */
    const float *mixing;    /* (DV_MIX_POINTS + 1), quantiles of a clip's share */
} dv_augment_tables;

/* The draws for one place. Masks and reflections are missing: they are made from random words when
   they are needed. */
typedef struct dv_augment_draws {
    int64_t shift;     /* samples */
    int64_t step;      /* the factor of speed, times 2^32 */
    float gain;        /* factor */
    float warp;        /* factor of the frequencies */
    float noise;       /* factor of the stretch's samples, for a clip with RMS 1; 0 for no noise */
    int64_t noise_at;  /* first sample of the stretch in the bank */
    bool noise_within; /* only the clip has the noise, not the whole window */
    int64_t decay;     /* samples until -60 dB; 0 for no reverberation */
    float reflected;   /* amplitude of all reflections against the direct sound */
    float clipping;    /* level of clipping against the clip's RMS; 0 for none */
    int32_t gap, gap_at; /* number of missing samples, and the first of them in the window */
    bool telephone;
    float knots[DV_EQUALIZER_KNOTS]; /* gains of the power, as powers of two */
    float share;                     /* share of the clip itself when it is mixed */
} dv_augment_draws;

#endif
