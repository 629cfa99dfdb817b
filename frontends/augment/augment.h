/*
 * Augmentation changes a clip at random each time it is trained on. Evaluation sees clips as they
 * are. The changes of the sound come first, in this order; t numbers the samples of the window from
 * its first:
 *
 *   speed           reads the clip at centre + (t + shift - length / 2) f, with f uniform in log
 *                   within 1 / speed .. speed, so that speed and pitch change together. A windowed
 *                   sinc (Kaiser, 32 samples, 512 phases) interpolates; its cut-off is lowered
 *                   where f > 1.
 *   shift           moves the clip by a time uniform within +-shift seconds.
 *   reverberation   adds a small room: 24 reflections of random sign, spread at random over the
 *                   time to -30 dB. They fall exponentially by 60 dB in a time uniform within
 *                   reverberation_time. Together they are 12 to 0 dB below the direct sound.
 *   noise           adds a random stretch, as long as the window, of a random noise. Its RMS is
 *                   below that of the whole clip (prepared, before any change) by a number of
 *                   decibels uniform within noise_snr. It is heard in the whole window or only
 *                   within the clip, as in a noisy recording that was cut to the word.
 *   clipping        limits samples to a level, like an overdriven microphone. The level is above
 *                   the clip's RMS by a number of decibels uniform within clipping_level.
 *   gap             sets a stretch of samples to 0, like a bad line, for a time uniform within
 *                   gap_time. It begins anywhere but lies wholly in the window.
 *   gain            changes the level by decibels uniform within +-gain.
 *
 * Then the power spectra of the frames change, bin by bin:
 *
 *   warp            gives frequency f the power of frequency a f, like another length of the vocal
 *                   tract, with a uniform in log within 1 / warp .. warp. This holds while both
 *                   frequencies are below 0.8 of the band; above, the map is straight to its end.
 *   equalizer       is a gain in decibels, linear between 7 knots over the band, each
 *                   N(0, equalizer).
 *   telephone       is a band-pass from 300 to 3400 Hz with Butterworth's gain, of order 4 below
 *                   and 10 above.
 *
 * And last the finished features:
 *
 *   masks           set rows and frames to 0, the mean if the configuration subtracts one. Each
 *                   mask is 0 .. its width wide and lies anywhere.
 *   mixup           mixes features and targets of the clips in places 2 k and 2 k + 1 of a batch:
 *                   s times its own and 1 - s times the other's, with s from Beta(mixup, mixup) for
 *                   each clip. In an odd batch the last clip stays as it is.
 *
 * A draw is a function of seed, training step and place in the batch alone (DV_RNG_AUGMENT), and
 * is the same to the bit on every backend: kernels/formulas/augment_math.h. A change that is
 * switched off leaves everything else as it is, to the bit.
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
    double speed;                             /* largest factor; 1 for none */
    double noise;                             /* probability */
    int64_t noise_snr[2];                     /* dB below the clip's RMS, least and most */
    double noise_within;                      /* probability that only the clip has the noise */
    char noise_path[DV_STRING_SIZE];          /* recorded noises (dv_noise_list); "" for none */
    int64_t noise_colors;                     /* generated noises 1 / f^a, a from 0 to 2 */
    double reverberation;                     /* probability */
    int64_t reverberation_time[2];            /* ms until 60 dB below, least and most */
    double clipping;                          /* probability */
    int64_t clipping_level[2];                /* dB above the clip's RMS, least and most */
    double gap;                               /* probability */
    int64_t gap_time[2];                      /* ms, least and most */
    double telephone;                         /* probability */
    double equalizer;                         /* dB, standard deviation of a knot */
    double warp;                              /* largest factor; 1 for none */
    int64_t frequency_masks, frequency_width; /* rows */
    int64_t time_masks, time_width;           /* frames */
    double mixup;                             /* Beta's parameter; 0 for none */
} dv_augment_config;

extern const dv_field dv_augment_fields[]; /* section `augment` */

/* The most places of a batch: each has random words of its own. */
enum { DV_AUGMENT_PLACES = 1 << DV_AUGMENT_PLACE_BITS };

typedef struct dv_augmenter dv_augmenter; /* immutable once made, so all threads share one */

/*
 * Makes the tables, and reads and generates the noises if there is to be noise. `frontend` is
 * borrowed and must outlive the augmenter. DV_ECONFIG if limits do not fit each other, or if there
 * is to be noise but no noise is given. DV_EARG if a path in noise_path is empty. DV_EIO and
 * DV_EFORMAT name the folder or the file that cannot be read.
 */
dv_status dv_augmenter_create(const dv_augment_config *config, const dv_frontend *frontend,
                              dv_augmenter **out);
void dv_augmenter_free(dv_augmenter *augmenter);

/* The tables; they live as long as the augmenter. */
const dv_augment_tables *dv_augmenter_tables(const dv_augmenter *augmenter);

/* All draws for one place in a batch. */
void dv_augment_draw(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                     dv_augment_draws *out);

/* Describes the audible draws ("shift +0.012 s, gain -3.0 dB, ...") and the telephone. */
enum { DV_AUGMENT_TEXT_SIZE = 256 };
void dv_augment_describe(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         char text[DV_AUGMENT_TEXT_SIZE]);

/* The RMS of samples (count), the reference level of noise and clipping. */
float dv_augment_rms(const float *samples, int64_t count);

/* Bytes of scratch for dv_augment_window and dv_augment_spectrum. Scratch is 64-byte aligned. */
size_t dv_augment_scratch(const dv_augmenter *augmenter);

/* Makes the window (dv_frontend_samples) of a prepared clip, samples (count), with all changes of
   the sound. */
void dv_augment_window(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                       const dv_augment_draws *draws, const float *samples, int64_t count,
                       int64_t center, float *window, void *scratch);

/* The change of the spectra. The pointers in *out point into `scratch` or are NULL. */
void dv_augment_spectrum(const dv_augmenter *augmenter, const dv_augment_draws *draws,
                         dv_spectral_change *out, void *scratch);

/* Masks features (rows, frames). */
void dv_augment_mask_features(const dv_augmenter *augmenter, const dv_rng *rng, uint32_t place,
                              float *features);

/* Mixes the clips of a batch in place: values (count, size), features or targets. */
void dv_augment_mix(const dv_augmenter *augmenter, const dv_rng *rng, int64_t count, int64_t size,
                    float *values);

#endif
