/*
 * The front-end turns samples into features. Each checkpoint stores its configuration.
 *
 *   clip -> DC removed, level -> window of `duration` placed on the word -> centred STFT, Hann
 *        -> power -> mel -> decibel -> DCT (mfcc) -> normalisation over the utterance
 *
 * Before normalisation the numbers are librosa's (Slaney mel scale and norm, power 2, power_to_db
 * with amin 1e-10, DCT-II ortho).
 *
 * The type fbank is Kaldi's (kaldi-native-fbank: snip_edges false, window "hann", no dither, no
 * pre-emphasis, no DC removal, power), in decibels. The middle of frame i is at sample
 * (i + 1/2) hop. Beyond its ends the window is mirrored. Triangles are straight over HTK's mel
 * scale in place of Hz, and 1 high.
 */
#ifndef DV_FEATURES_H
#define DV_FEATURES_H

#include "engine/base/field.h"
#include "kernels/formulas/feature_kinds.h"

/* The place of the window's middle. ENERGY puts it at the centroid of the word's amplitude; in a
   clip longer than the window, of the loudest stretch. MIDDLE puts it at the middle of the clip.
   START lets window and clip begin together. */
typedef enum dv_placement { DV_PLACE_ENERGY, DV_PLACE_MIDDLE, DV_PLACE_START } dv_placement;
/* The level that a clip is brought to. PEAK makes the largest sample 1. RMS makes the root of the
   mean power of 25 ms frames 0.1; each frame is weighted by its power, so that silence does not
   count. A level below 1e-6 stays as it is. */
typedef enum dv_level { DV_LEVEL_NONE, DV_LEVEL_PEAK, DV_LEVEL_RMS } dv_level;
typedef enum dv_mel_scale { DV_MEL_SLANEY, DV_MEL_HTK } dv_mel_scale;
typedef enum dv_mel_norm { DV_MEL_NORM_SLANEY, DV_MEL_NORM_NONE, DV_MEL_NORM_SUM } dv_mel_norm;
typedef struct dv_features_config {
    int type;            /* dv_feature_type */
    int64_t sample_rate; /* Hz */
    double duration;     /* s, of the window */
    int64_t n_fft;       /* power of two */
    int64_t window;      /* samples of the Hann window, <= n_fft, centred in n_fft */
    int64_t hop;         /* samples between frames */
    int64_t n_mels;      /* for mel, mfcc and fbank */
    int64_t n_mfcc;      /* for mfcc, <= n_mels */
    double fmin, fmax;   /* Hz; fmax 0 stands for sample_rate / 2 */
    int mel_scale;       /* dv_mel_scale, for mel and mfcc */
    int mel_norm;        /* dv_mel_norm, for mel and mfcc; SUM makes each triangle's sum 1 */
    double top_db;       /* decibels kept below the clip's maximum; 0 for no floor */
    int placement;       /* dv_placement */
    int level;           /* dv_level */
    int mean;            /* dv_norm_over of the mean that is subtracted */
    int deviation;       /* dv_norm_over of the deviation; features are divided by it + 0.01 */
} dv_features_config;

/* "mfcc", ..., ended by NULL. */
extern const char *const dv_feature_type_names[];

/* The field table: section `features` of the configuration. */
extern const dv_field dv_features_fields[];

/* Facts about a section `features` that resolving it has found. */
enum { DV_FEATURES_NOTE_SIZE = 256 };
typedef struct dv_features_resolved {
    char note[DV_FEATURES_NOTE_SIZE]; /* a warning that the defaults in samples do not suit the
                                         rate, or "" */
    bool window, hop, n_fft;          /* whether the size follows the rate by itself, because it is
                                         given in time or is auto */
} dv_features_resolved;

/*
 * Replaces sizes in time ("window: 25 ms") and "n_fft: auto" (the least power of two that holds the
 * window) in the section `features` by sizes in samples. Does nothing if `section` is NULL.
 * DV_ECONFIG with file and line.
 */
dv_status dv_features_resolve(dv_tree *section, dv_features_resolved *out);

/* A field in which two front-ends differ, and its values as the configuration writes them. */
typedef struct dv_features_difference {
    char key[32]; /* "" if there is no difference */
    char first[32], second[32];
} dv_features_difference;

/* Finds the first difference in the order of the fields. It compares the fields `keys` (ended by
   NULL), or all fields if `keys` is NULL. */
dv_status dv_features_compare(const dv_features_config *first, const dv_features_config *second,
                              const char *const *keys, dv_features_difference *out);

typedef struct dv_frontend dv_frontend; /* immutable once made, so all threads share one */

/* DV_ECONFIG names the field that does not fit (n_fft no power of two, window > n_fft,
   n_mfcc > n_mels, fmin >= fmax, fmax above half the rate, ...). */
dv_status dv_frontend_create(const dv_features_config *config, dv_frontend **out);
void dv_frontend_free(dv_frontend *frontend);

const dv_features_config *dv_frontend_config(const dv_frontend *frontend);
int64_t dv_frontend_rows(const dv_frontend *frontend);    /* rows of features, the image's height */
int64_t dv_frontend_frames(const dv_frontend *frontend);  /* frames, the image's width */
int64_t dv_frontend_samples(const dv_frontend *frontend); /* samples in the window */

/* The sizes and tables of a front-end, for a device that computes the same. The tables are in host
   memory; the device copies what it needs. */
typedef struct dv_feature_tables {
    int64_t samples, frames, rows; /* sizes of a window; features are (rows, frames) */
    int64_t n_fft, hop, bands, coefficients;
    int64_t lead; /* samples by which the n_fft points of frame 0 begin before the window does */
    dv_frame_edges edges;
    const float *window;      /* (n_fft), with zeros around the Hann window */
    const int64_t *mel_first; /* (bands), first bin of a band; NULL if every bin is a band */
    const int64_t *mel_start; /* (bands + 1), index of a band's first weight */
    const float *mel_weights; /* (mel_start[bands]) */
    const float *dct;         /* (coefficients, bands); NULL if the bands are the features */
    double top_db;            /* 0 for no floor */
    dv_norm_over mean, deviation;
} dv_feature_tables;

/* Fills *out with pointers to the front-end's own tables. */
void dv_frontend_tables(const dv_frontend *frontend, dv_feature_tables *out);

/*
 * Prepares a clip, samples (count), in place: removes DC and sets the level. Call it once for a
 * clip. Returns the sample around which the window is placed (see dv_placement).
 */
int64_t dv_frontend_prepare(const dv_frontend *frontend, float *samples, int64_t count);

/* The samples of a clip (count) that the window around `center` + `shift` holds are [*from, *to).
   Some are left out if the clip is longer than the window, or the centre is near an end of the
   clip. */
void dv_frontend_seen(const dv_frontend *frontend, int64_t count, int64_t center, int64_t shift,
                      int64_t *from, int64_t *to);

/* Cuts the window (dv_frontend_samples) around `center` + `shift` out of a prepared clip, samples
   (count), and multiplies it by `gain`. Samples outside the clip are 0. */
void dv_frontend_cut(const dv_frontend *frontend, const float *samples, int64_t count,
                     int64_t center, int64_t shift, float gain, float *window);

/* Bytes of scratch that one call of dv_frontend_compute needs. Scratch is 64-byte aligned. */
size_t dv_frontend_scratch(const dv_frontend *frontend);

/* Computes the normalised features (rows, frames) of window (samples) on one thread. */
void dv_frontend_compute(const dv_frontend *frontend, const float *window, float *features,
                         void *scratch);

/* A change of the power spectrum of every frame, before bands and decibels. The power at bin b
   becomes gains[b] times the power at positions[b], which is between bins 0 and n_fft / 2; the
   power between two bins is interpolated. An array that is NULL changes nothing. */
typedef struct dv_spectral_change {
    const float *gains, *positions; /* (n_fft / 2 + 1) */
} dv_spectral_change;

/* dv_frontend_compute with changed spectra. `change` may be NULL. */
void dv_frontend_compute_changed(const dv_frontend *frontend, const float *window,
                                 const dv_spectral_change *change, float *features, void *scratch);

/* The reference: direct formulas in double, which share no tables with dv_frontend_compute. It is
   slow. If `normalized` is false it stops before the normalisation, with librosa's output. */
dv_status dv_frontend_reference(const dv_features_config *config, const float *window,
                                bool normalized, double *features);

#endif
