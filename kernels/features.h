/*
 * Launchers of the device front-end, in the order of their use: windows of samples and changes of
 * the spectra (if augmentation needs them), frames of windowed samples, then (by cuFFT) their
 * spectra, decibels, features, and mixtures of clips. Conventions: elementwise.h. A batch may be
 * made part by part; `places` is the number of clips of a part.
 */
#ifndef DV_KERNELS_FEATURES_H
#define DV_KERNELS_FEATURES_H

#include "kernels/formulas/augment_tables.h"
#include "kernels/formulas/dtype.h"
#include "kernels/formulas/feature_kinds.h"
#include "kernels/formulas/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A clip in the buffer of all clips. */
typedef struct dv_stored_clip {
    int64_t offset, count; /* samples */
    int64_t center;        /* where the window is placed */
    int32_t label;
    float rms;    /* reference level of noise and clipping */
    float weight; /* value of its target in training */
} dv_stored_clip;

/* Places in a batch. Each has random words of its own (kernels/formulas/augment_math.h). */
typedef struct dv_random_places {
    const dv_progress *progress; /* NULL if nothing is random */
    uint64_t seed;
    uint32_t use;
    bool always_first;     /* every step has the words of step 0 */
    int64_t place, places; /* the first place of the part in the batch, and their number */
} dv_random_places;

typedef struct dv_clip_frames {
    const float *samples; /* the buffer of all clips */
    const dv_stored_clip *clips;
    const float *window;        /* (n_fft), weights of the samples of a frame */
    int64_t length;             /* samples of the window that is cut out of a clip */
    int64_t frames, n_fft, hop; /* frames of that window */
    int64_t lead;               /* samples by which the first frame begins before that window */
    dv_frame_edges edges;
    int64_t classes;
    dv_augment_tables augment;
    dv_random_places random;

    /* See dv_batch_request. */
    int64_t count;
    const int32_t *order;
    int64_t order_count;
    uint64_t steps_per_epoch;
    int64_t first;

    const float *windows; /* (places, length); if NULL, dv_launch_clip_frames itself cuts the
                             clips, shifts them and changes their level */
} dv_clip_frames;

/* Computes windows (places, length) with all changes of the sound. dry (places, history + length)
   is scratch for reflections of samples before the window; it may be NULL if history is 0. */
int dv_launch_clip_windows(const dv_clip_frames *call, int64_t history, float *dry, float *windows,
                           void *stream);

/* Computes gains and positions (places, n_fft / 2 + 1) for dv_levels. Either may be NULL. */
int dv_launch_spectral_changes(const dv_clip_frames *call, float *gains, float *positions,
                               void *stream);

/* Computes frames (places, frames, n_fft) and targets (places, classes) of this part. `targets` may
   be NULL. */
int dv_launch_clip_frames(const dv_clip_frames *call, float *frames, float *targets, void *stream);

/* Levels in dB of complex spectra (places, frames, n_fft / 2 + 1). With bands 0 they are levels of
   every bin (places, n_fft / 2 + 1, frames), else of triangular bands (places, bands, frames). */
typedef struct dv_levels {
    int64_t places, frames, bins, bands;
    const int64_t *first; /* (bands), a band's first bin */
    const int64_t *start; /* (bands + 1), index of a band's first weight */
    const float *weights;
    /* (places, bins). The power of a bin becomes its gain times the power at its position, which is
       interpolated between two bins. An array that is NULL changes nothing. */
    const float *gains, *positions;
} dv_levels;

int dv_launch_levels(const dv_levels *call, const void *spectra, float *levels, void *stream);

/* Features (places, rows, frames) of levels (places, bands, frames). Without a DCT there are as
   many rows as bands. */
typedef struct dv_level_features {
    int64_t places, bands, rows, frames;
    float top_db;     /* decibels kept below the clip's maximum; 0 for no floor */
    const float *dct; /* (rows, bands) or NULL */
    dv_norm_over mean, deviation;
    dv_random_places random; /* for the masks */
    int32_t frequency_masks, frequency_width, time_masks, time_width;
} dv_level_features;

/* Overwrites `levels`. work (places, rows, frames) is scratch and is needed only with a DCT. */
int dv_launch_level_features(dv_dtype dtype, const dv_level_features *call, float *levels,
                             float *work, void *features, void *stream);

/* Mixes values (places, size) of each pair of places of a whole batch. */
int dv_launch_mix(dv_dtype dtype, const dv_random_places *random, const float *mixing, int64_t size,
                  void *values, void *stream);

#ifdef __cplusplus
}
#endif

#endif
