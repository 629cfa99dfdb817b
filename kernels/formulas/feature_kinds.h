/* Kinds of features and of their normalisation, for the front-end and its kernels. */
#ifndef DV_FORMULAS_FEATURE_KINDS_H
#define DV_FORMULAS_FEATURE_KINDS_H

#include "kernels/formulas/scalar_math.h"

typedef enum dv_feature_type {
    DV_FEATURES_MFCC,
    DV_FEATURES_MEL,
    DV_FEATURES_SPECTROGRAM,
    DV_FEATURES_FBANK,
    DV_FEATURE_TYPES /* how many there are */
} dv_feature_type;

/* The values that a mean or a deviation is taken over: none, all of a clip, or each row by
   itself. */
typedef enum dv_norm_over { DV_OVER_NONE, DV_OVER_CLIP, DV_OVER_BAND } dv_norm_over;

/* The samples of frames outside the window: zeros, or the window mirrored at its ends as often as
   needed. The last sample comes twice. */
typedef enum dv_frame_edges { DV_EDGES_ZEROS, DV_EDGES_MIRRORED } dv_frame_edges;

/* The index, of 0 .. count - 1, of the sample at t in the mirrored window. */
static inline DV_HD int64_t dv_mirrored(int64_t t, int64_t count)
{
    while (t < 0 || t >= count)
        t = t < 0 ? -t - 1 : 2 * count - 1 - t;
    return t;
}

#endif
