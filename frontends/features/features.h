/*
 * The front-end: the one definition of the way from samples to features, stored in each checkpoint.
 *
 *   clip -> DC removed, level -> window of `duration` placed on the word -> centred STFT, Hann
 *        -> power -> mel -> decibel -> DCT (mfcc) -> normalisation over the utterance
 *
 * Numerically librosa's (Slaney mel scale and norm, power 2, power_to_db with amin 1e-10, DCT-II
 * ortho) before normalisation.
 *
 * The type fbank is Kaldi's (kaldi-native-fbank: snip_edges false, window "hann", no dither, no
 * pre-emphasis, no DC removal, power), in decibels: frame i has its middle at sample (i + 1/2) hop,
 * what lies outside the window is the window mirrored at its ends, and triangles are straight over
 * HTK's mel scale rather than over Hz, 1 high.
 */
#ifndef DV_FEATURES_H
#define DV_FEATURES_H

#include "engine/base/field.h"
#include "kernels/formulas/feature_kinds.h"

/* Where the window's middle goes: ENERGY, the centroid of the word's amplitude, in a clip longer
   than the window that of its loudest stretch; MIDDLE, the middle of the clip; START, so that
   window and clip begin together. */
typedef enum dv_placement { DV_PLACE_ENERGY, DV_PLACE_MIDDLE, DV_PLACE_START } dv_placement;
/* PEAK: the largest sample becomes 1. RMS: the root of the power of 25 ms frames, averaged with
   that power as weight, so that silence does not count, becomes 0.1. Below 1e-6 nothing is done. */
typedef enum dv_level { DV_LEVEL_NONE, DV_LEVEL_PEAK, DV_LEVEL_RMS } dv_level;
typedef enum dv_mel_scale { DV_MEL_SLANEY, DV_MEL_HTK } dv_mel_scale;
typedef enum dv_mel_norm { DV_MEL_NORM_SLANEY, DV_MEL_NORM_NONE, DV_MEL_NORM_SUM } dv_mel_norm;
typedef struct dv_features_config {
    int type;            /* dv_feature_type */
    int64_t sample_rate; /* Hz */
    double duration;     /* s, the window that is looked at */
    int64_t n_fft;       /* power of two */
    int64_t window;      /* samples of the Hann window, <= n_fft, centred in it */
    int64_t hop;         /* samples between frames */
    int64_t n_mels;      /* mel, mfcc, fbank */
    int64_t n_mfcc;      /* mfcc, <= n_mels */
    double fmin, fmax;   /* Hz; fmax 0: sample_rate / 2 */
    int mel_scale;       /* mel, mfcc: dv_mel_scale */
    int mel_norm;        /* mel, mfcc: dv_mel_norm; SUM: each triangle's weights sum to 1 */
    double top_db;       /* decibels kept below the clip's maximum; 0: no floor */
    int placement;       /* dv_placement */
    int level;           /* dv_level */
    int mean;            /* dv_norm_over, subtracted */
    int deviation;       /* dv_norm_over, divided by (+ 0.01) */
} dv_features_config;

/* "mfcc", ..., ended by NULL. */
extern const char *const dv_feature_type_names[];

/* The field table: section `features` of the configuration. */
extern const dv_field dv_features_fields[];

/* What was found of a section `features` while it was resolved. */
enum { DV_FEATURES_NOTE_SIZE = 256 };
typedef struct dv_features_resolved {
    char note[DV_FEATURES_NOTE_SIZE]; /* what the user should know, "": nothing; a rate that the
                                         defaults in samples are not made for */
    bool window, hop, n_fft;          /* follows the rate by itself: given in time, or auto */
} dv_features_resolved;

/*
 * Makes sizes in samples of what the section `features` (NULL: nothing to do) says in time
 * ("window: 25 ms") or leaves to the window ("n_fft: auto", the least power of two that holds it).
 * DV_ECONFIG with file and line.
 */
dv_status dv_features_resolve(dv_tree *section, dv_features_resolved *out);

/* A field of two front-ends that is not the same, as the configuration writes it. */
typedef struct dv_features_difference {
    char key[32]; /* "": there is none */
    char first[32], second[32];
} dv_features_difference;

/* The first difference in the order of the fields. `keys` (ended by NULL): of these alone; NULL: of
   all. */
dv_status dv_features_compare(const dv_features_config *first, const dv_features_config *second,
                              const char *const *keys, dv_features_difference *out);

typedef struct dv_frontend dv_frontend; /* immutable once made: one for all threads */

/* DV_ECONFIG names the field that does not fit (n_fft no power of two, window > n_fft,
   n_mfcc > n_mels, fmin >= fmax, fmax above half the rate, ...). */
dv_status dv_frontend_create(const dv_features_config *config, dv_frontend **out);
void dv_frontend_free(dv_frontend *frontend);

const dv_features_config *dv_frontend_config(const dv_frontend *frontend);
int64_t dv_frontend_rows(const dv_frontend *frontend);    /* coefficients: H of the image */
int64_t dv_frontend_frames(const dv_frontend *frontend);  /* frames: W of the image */
int64_t dv_frontend_samples(const dv_frontend *frontend); /* samples in the window */

/* What a front-end computes, with its tables (host memory, read by create alone). */
typedef struct dv_feature_tables {
    int64_t samples, frames, rows; /* of a window; features are (rows, frames) */
    int64_t n_fft, hop, bands, coefficients;
    int64_t lead; /* samples by which the n_fft points of frame 0 begin before the window does */
    dv_frame_edges edges;
    const float *window;      /* (n_fft): zeros around the Hann window included */
    const int64_t *mel_first; /* (bands): first bin of a band; NULL: every bin is one */
    const int64_t *mel_start; /* (bands + 1): where its weights begin */
    const float *mel_weights; /* (mel_start[bands]) */
    const float *dct;         /* (coefficients, bands); NULL: the bands are the features */
    double top_db;            /* 0: no floor */
    dv_norm_over mean, deviation;
} dv_feature_tables;

/* What a device needs to compute the same; the tables are the front-end's. */
void dv_frontend_tables(const dv_frontend *frontend, dv_feature_tables *out);

/*
 * Prepares a clip once: removes DC, sets the level, in place, and finds the sample around which
 * the window is placed (see dv_placement). samples (count).
 */
int64_t dv_frontend_prepare(const dv_frontend *frontend, float *samples, int64_t count);

/* Which samples of a clip (count) the window around `center` + `shift` holds: [*from, *to). Not all
   of them where the clip is longer than the window, or the centre near an end of it. */
void dv_frontend_seen(const dv_frontend *frontend, int64_t count, int64_t center, int64_t shift,
                      int64_t *from, int64_t *to);

/* Cuts the window around `center` + `shift` out of a prepared clip, zeros outside the clip, times
   `gain`. samples (count), window (dv_frontend_samples). */
void dv_frontend_cut(const dv_frontend *frontend, const float *samples, int64_t count,
                     int64_t center, int64_t shift, float gain, float *window);

/* Bytes of scratch that one call of dv_frontend_compute needs; 64-byte aligned. */
size_t dv_frontend_scratch(const dv_frontend *frontend);

/* window (samples) -> features (rows, frames), normalised. The fast form, one thread. */
void dv_frontend_compute(const dv_frontend *frontend, const float *window, float *features,
                         void *scratch);

/* What is changed in the power spectrum of every frame before bands and decibels are made of it;
   NULL: nothing. Power at bin b becomes gains[b] times that at positions[b], which is between bins
   0 and n_fft / 2 and linear between two. */
typedef struct dv_spectral_change {
    const float *gains, *positions; /* (n_fft / 2 + 1) */
} dv_spectral_change;

/* dv_frontend_compute with changed spectra; `change` NULL: none. */
void dv_frontend_compute_changed(const dv_frontend *frontend, const float *window,
                                 const dv_spectral_change *change, float *features, void *scratch);

/* The reference: direct formulas in double, no tables shared with the fast form but the
   configuration. Slow. `normalized` false stops before the normalisation (librosa's output). */
dv_status dv_frontend_reference(const dv_features_config *config, const float *window,
                                bool normalized, double *features);

#endif
