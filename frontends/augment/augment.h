/*
 * Augmentation: what changes at random each time a clip is trained on; evaluation sees clips as
 * they are. In this order, t counting the samples of the window, from its first:
 *
 *   speed           the clip around its centre, read at centre + (t + shift - length / 2) f, f
 *                   uniform in log within 1 / speed .. speed: speed and pitch together. A windowed
 *                   sinc (Kaiser, 32 samples, 512 phases), with its cut-off lowered where f > 1.
 *   shift           uniform within +-shift seconds
 *   reverberation   a small room: the sound and 24 reflections, spread at random over the time to
 *                   -30 dB, of random sign, falling exponentially by 60 dB in a time uniform within
 *                   reverberation_time; together 12 to 0 dB below the direct sound
 *   noise           a random stretch, as long as the window, of a random one of the noises, added
 *                   so that its RMS lies below that of the whole clip (prepared, before any
 *                   change) by a number of decibels uniform within noise_snr; heard in the whole
 *                   window or, as in a noisy recording that was cut to the word, within the clip
 *   clipping        as where a microphone is overdriven: what lies beyond a level, on either side,
 *                   is cut to it. The level is above the clip's RMS by a number of decibels uniform
 *                   within clipping_level.
 *   gap             a stretch of all this is missing, as on a bad line: its samples are 0, for a
 *                   time uniform within gap_time; it begins anywhere, so that the window holds it
 *   gain            of all this, uniform in decibels within +-gain
 *
 * then, on the power spectra of the frames, bin by bin:
 *
 *   warp            the power at a frequency f becomes that at a f, a uniform in log from the
 *                   inverse of warp to warp, as long as both are below 0.8 of the band, and from
 *                   there on straight to its end: another length of the vocal tract
 *   equalizer       a gain in decibels, linear between 7 knots over the band, each N(0, equalizer)
 *   telephone       a band-pass from 300 to 3400 Hz: Butterworth's gain of order 4 below, 10 above
 *
 * and on the finished features:
 *
 *   masks           rows and frames set to 0, which is the mean where the configuration subtracts
 *                   one. Each mask is 0 .. its width wide, anywhere.
 *   mixup           clips in places 2 k and 2 k + 1 of a batch mix, features and targets: s times
 *                   its own and 1 - s times the other's, s from Beta(mixup, mixup) for each; the
 *                   last one of an odd number stays as it is.
 *
 * A draw is a function of seed, training step and place in the batch alone (DV_RNG_AUGMENT), and
 * is the same to the bit on every backend: kernels/formulas/augment_math.h. What is switched off
 * leaves everything else as it is, to the bit.
 */
#ifndef DV_AUGMENT_H
#define DV_AUGMENT_H

#include "engine/base/field.h"
#include "engine/base/rng.h"
#include "frontends/features/features.h"
#include "kernels/formulas/augment_math.h"

typedef struct dv_augment_config {
    double shift;                             /* s, the largest shift in time, either way */
    double gain;                              /* dB, the largest change of level, either way */
    double speed;                             /* largest factor; 1: none */
    double noise;                             /* probability */
    int64_t noise_snr[2];                     /* dB below the clip's RMS, least and most */
    double noise_within;                      /* share of it that is heard within the clip alone */
    char noise_path[DV_STRING_SIZE];          /* recorded noises (dv_noise_list); "": none */
    int64_t noise_colors;                     /* generated noises 1 / f^a, a from 0 to 2 */
    double reverberation;                     /* probability */
    int64_t reverberation_time[2];            /* ms until 60 dB below, least and most */
    double clipping;                          /* probability */
    int64_t clipping_level[2];                /* dB above the clip's RMS, least and most */
    double gap;                               /* probability */
    int64_t gap_time[2];                      /* ms, least and most */
    double telephone;                         /* probability */
    double equalizer;                         /* dB, standard deviation of a knot */
    double warp;                              /* largest factor; 1: none */
    int64_t frequency_masks, frequency_width; /* rows */
    int64_t time_masks, time_width;           /* frames */
    double mixup;                             /* Beta's parameter; 0: none */
} dv_augment_config;

extern const dv_field dv_augment_fields[]; /* section `augment` */

/* Places in a batch that have words of their own. */
enum { DV_AUGMENT_PLACES = 1 << DV_AUGMENT_PLACE_BITS };

typedef struct dv_augmenter dv_augmenter; /* immutable once made: one for all threads */

/*
 * Reads and makes the noises where there is to be any, and the tables. `frontend` is borrowed and
 * must outlive the augmenter. DV_ECONFIG: limits that do not fit each other, noise without any
 * noises; DV_EARG: a noise_path with nothing between two commas; DV_EIO, DV_EFORMAT: names the
 * folder or the file that cannot be read.
 */
dv_status dv_augmenter_create(const dv_augment_config *config, const dv_frontend *frontend,
                              dv_augmenter **out);
void dv_augmenter_free(dv_augmenter *augmenter);

/* The tables; they live as long as the augmenter. */
const dv_augment_tables *dv_augmenter_tables(const dv_augmenter *augmenter);

/* All draws for one place in a batch. */
void dv_augment_draw(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                     dv_augment_draws *out);

/* What of the draws is heard, in words ("shift +0.012 s, gain -3.0 dB, ..."), and what else is
   said once for a clip: the telephone. */
enum { DV_AUGMENT_TEXT_SIZE = 256 };
void dv_augment_describe(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         char text[DV_AUGMENT_TEXT_SIZE]);

/* The RMS that noise and clipping are measured against. samples (count). */
float dv_augment_rms(const float *samples, int64_t count);

/* Bytes of working memory for dv_augment_window and dv_augment_spectrum; 64-byte aligned. */
size_t dv_augment_scratch(const dv_augmenter *augmenter);

/* The window of a prepared clip as the spectra are made of it: samples (count), window
   (dv_frontend_samples). */
void dv_augment_window(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                       const dv_augment_draws *draws, const float *samples, int64_t count,
                       int64_t center, float *window, void *scratch);

/* What changes in the spectra; *out points into `scratch`, or to nothing. */
void dv_augment_spectrum(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         dv_spectral_change *out, void *scratch);

/* Masks features (rows, frames). */
void dv_augment_mask_features(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                              float *features);

/* Mixes the clips of a batch in place: values (count, size), features or targets. */
void dv_augment_mix(const dv_augmenter *augmenter, const dv_rng *rng, int64_t count, int64_t size,
                    float *values);

#endif
