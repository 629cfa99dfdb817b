/*
 * Launchers of the device front-end, in the order of their use: windows of samples and changes of
 * the spectra, where augmentation wants them, frames of windowed samples, then (by cuFFT) their
 * spectra, then decibels, then features, then mixtures of clips. Conventions: elementwise.h. A
 * batch may be made part by part; `places` is the number of clips of a part.
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

/* A clip among all others in one buffer. */
typedef struct dv_stored_clip {
    int64_t offset, count; /* samples */
    int64_t center;        /* where the window is placed */
    int32_t label;
    float rms;    /* what noise is measured against */
    float weight; /* of its target in training */
} dv_stored_clip;

/* Places in a batch, each with random words of its own (kernels/formulas/augment_math.h). */
typedef struct dv_random_places {
    const dv_progress *progress; /* NULL: nothing is random */
    uint64_t seed;
    uint32_t use;
    bool always_first;     /* the words of step 0 */
    int64_t place, places; /* of the batch: the part at hand */
} dv_random_places;

typedef struct dv_clip_frames {
    const float *samples; /* of all clips */
    const dv_stored_clip *clips;
    const float *window;        /* (n_fft) */
    int64_t length;             /* samples of the window that is cut out */
    int64_t frames, n_fft, hop; /* its frames; the first one begins `lead` samples before it */
    int64_t lead;
    dv_frame_edges edges;
    int64_t classes;
    dv_augment_tables augment;
    dv_random_places random;

    /* As in a dv_batch_request. */
    int64_t count;
    const int32_t *order;
    int64_t order_count;
    uint64_t steps_per_epoch;
    int64_t first;

    const float *windows; /* (places, length); NULL: cut, shifted and multiplied here */
} dv_clip_frames;

/* windows (places, length) with all that augmentation does to sound. dry (places, history +
   length): work, needed where history is not 0, for reflections of what lies before the window. */
int dv_launch_clip_windows(const dv_clip_frames *call, int64_t history, float *dry, float *windows,
                           void *stream);

/* gains, positions (places, n_fft / 2 + 1), as dv_levels takes them; either may be NULL. */
int dv_launch_spectral_changes(const dv_clip_frames *call, float *gains, float *positions,
                               void *stream);

/* frames (places, frames, n_fft); targets (places, classes) or NULL, both of this part */
int dv_launch_clip_frames(const dv_clip_frames *call, float *frames, float *targets, void *stream);

/* spectra (places, frames, n_fft / 2 + 1) complex -> levels in dB. bands 0: of every bin, (places,
   n_fft / 2 + 1, frames); else of the power in triangles, each a run of bins, (places, bands,
   frames). */
typedef struct dv_levels {
    int64_t places, frames, bins, bands;
    const int64_t *first; /* (bands): first bin */
    const int64_t *start; /* (bands + 1): where a band's weights begin */
    const float *weights;
    /* (places, bins): the power of a bin becomes its gain times the power at its position, linear
       between two bins; NULL: it stays. */
    const float *gains, *positions;
} dv_levels;

int dv_launch_levels(const dv_levels *call, const void *spectra, float *levels, void *stream);

/* levels (places, bands, frames) -> features (places, rows, frames). Without a DCT rows == bands.
 */
typedef struct dv_level_features {
    int64_t places, bands, rows, frames;
    float top_db;     /* kept below the clip's maximum; 0: all */
    const float *dct; /* (rows, bands); NULL: none */
    dv_norm_over mean, deviation;
    dv_random_places random; /* for the masks */
    int32_t frequency_masks, frequency_width, time_masks, time_width;
} dv_level_features;

/* levels are changed; work (places, rows, frames), needed with a DCT only. */
int dv_launch_level_features(dv_dtype dtype, const dv_level_features *call, float *levels,
                             float *work, void *features, void *stream);

/* Mixes the pairs of all places of a batch: values (places, size). */
int dv_launch_mix(dv_dtype dtype, const dv_random_places *random, const float *mixing, int64_t size,
                  void *values, void *stream);

#ifdef __cplusplus
}
#endif

#endif
