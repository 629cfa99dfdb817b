/*
 * Launchers of the device front-end, in the order of their use: frames of windowed samples, then
 * (by cuFFT) their spectra, then decibels, then features. Conventions: elementwise.h. A batch may
 * be made part by part; `places` is the number of clips of a part.
 */
#ifndef DV_KERNELS_FEATURES_H
#define DV_KERNELS_FEATURES_H

#include "kernels/dtype.h"
#include "kernels/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A clip among all others in one buffer. */
typedef struct dv_stored_clip {
    int64_t offset, count; /* samples */
    int64_t center;        /* where the window is placed */
    int32_t label;
    float weight; /* of its target in training */
} dv_stored_clip;

typedef struct dv_clip_frames {
    const float *samples; /* of all clips */
    const dv_stored_clip *clips;
    const float *window;        /* (n_fft) */
    int64_t length;             /* samples of the window that is cut out */
    int64_t frames, n_fft, hop; /* its centred frames, zeros around it */
    int64_t classes;
    int64_t max_shift; /* augmentation: kernels/augment_math.h */
    float max_gain;
    uint32_t use; /* of the random numbers */

    /* As in a dv_batch_request. */
    int64_t count;
    const int32_t *order;
    int64_t order_count;
    const dv_progress *progress;
    uint64_t steps_per_epoch, seed;
    bool always_first;
    int64_t first;

    int64_t place, places; /* of the batch: the part at hand */
} dv_clip_frames;

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
} dv_levels;

int dv_launch_levels(const dv_levels *call, const void *spectra, float *levels, void *stream);

typedef enum dv_statistic { DV_OF_NOTHING, DV_OF_CLIP, DV_OF_ROW } dv_statistic;

/* levels (places, bands, frames) -> features (places, rows, frames). Without a DCT rows == bands.
 */
typedef struct dv_level_features {
    int64_t places, bands, rows, frames;
    float top_db;     /* kept below the clip's maximum; 0: all */
    const float *dct; /* (rows, bands); NULL: none */
    dv_statistic mean, deviation;
} dv_level_features;

/* levels are changed; work (places, rows, frames), needed with a DCT only. */
int dv_launch_level_features(dv_dtype dtype, const dv_level_features *call, float *levels,
                             float *work, void *features, void *stream);

#ifdef __cplusplus
}
#endif

#endif
