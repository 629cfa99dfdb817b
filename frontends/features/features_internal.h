/* What the files of the front-end share: the immutable tables of the fast form. */
#ifndef DV_FEATURES_INTERNAL_H
#define DV_FEATURES_INTERNAL_H

#include "engine/base/clones.h"
#include "frontends/features/features.h"

/* Frames that are transformed side by side: the innermost index of all work arrays, so that each
   loop over it is a whole number of vectors on every instruction set. */
enum { DV__LANES = 16 };

/* A real transform of `size` points as a complex one of size / 2 over even and odd samples. */
typedef struct dv__fft {
    int64_t size;    /* power of two, at least 16 */
    float *twiddles; /* per pass and index: seven complex factors */
    float *unpack;   /* (size / 2, 2): exp(-2 pi i k / size) */
} dv__fft;

dv_status dv__fft_create(int64_t size, dv__fft *fft);
void dv__fft_free(dv__fft *fft);

/* Floats of the work space of dv__fft_power. */
int64_t dv__fft_work(const dv__fft *fft);

/* DV__LANES frames: sample n of the first one is at samples[offsets[n]], that of the others behind
   it. */
typedef struct dv__frames {
    const float *samples;
    const int32_t *offsets; /* (size) */
    const float *weights;   /* (size): half of what each sample is multiplied with */
} dv__frames;

/* The power spectra (size / 2 + 1, lanes). */
void dv__fft_power(const dv__fft *fft, const dv__frames *frames, float *work, float *power);

/* Triangular filters, each a run of bins. */
typedef struct dv__mel {
    int64_t bands;
    int64_t *first; /* (bands): the first bin with a weight */
    int64_t *start; /* (bands + 1): where a band's weights begin in `weights` */
    float *weights;
} dv__mel;

/* DV_ECONFIG where a band is so narrow that it holds no bin. */
dv_status dv__mel_create(const dv_features_config *config, dv__mel *mel);
void dv__mel_free(dv__mel *mel);

struct dv_frontend {
    dv_features_config config;
    int64_t samples, frames, rows, bins;
    int64_t levels; /* rows of decibels: mel bands, which may be more than the bins, or bins */
    int64_t lead;   /* see dv_feature_tables */
    dv_frame_edges edges;
    float *window;  /* (n_fft): Hann, centred, zeros around it */
    float *weights; /* (n_fft): window / 2 */
    /* The samples of a window are laid out (phases, pitch). Sample n of frame f is at
       (n % hop, n / hop + f), so samples of neighbouring frames are neighbours. */
    int64_t phases, pitch;
    int32_t *offsets; /* (n_fft): of frame 0's samples in there */
    dv__fft fft;
    dv__mel mel; /* no bands: every bin is one */
    float *dct;  /* (n_mfcc, n_mels); NULL: none */
};

/* Checks every field against its table and the fields against each other. */
dv_status dv__features_check(const dv_features_config *config);

/* Samples in the window, frames and rows of the result, for a checked configuration. */
int64_t dv__features_samples(const dv_features_config *config);
int64_t dv__features_frames(const dv_features_config *config);
int64_t dv__features_rows(const dv_features_config *config);

/* As dv_feature_tables has it. */
int64_t dv__features_lead(const dv_features_config *config);

/* The upper end of the mel filters in Hz. */
double dv__features_fmax(const dv_features_config *config);

/* ---- What placement.c and placement_program.c share ---- */

#define DV__SILENCE 1e-6  /* a clip below this level is left alone: -120 dB */
#define DV__RMS_LEVEL 0.1 /* -20 dB: speech peaks stay below 1 */

#define DV__SILENT_BAND (-100.0) /* decibels of the least power that a band has, 1e-10 */

/* Samples of a frame of the envelope, 25 ms, and between two of them, 10 ms. */
#define DV__ENVELOPE_LENGTH(sample_rate) ((sample_rate) / 40)
#define DV__ENVELOPE_HOP(sample_rate) ((sample_rate) / 100)

#define DV__LONG_CLIP 0.7 /* s */

/* The noise floor of an envelope: factor times the percentile `fraction` (0..1) of its frames. A
   clip that is not longer than DV__LONG_CLIP is mostly word, so its quiet frames say little about
   the noise, and the floor is set low. */
typedef struct dv__noise_floor {
    float factor;
    double fraction;
} dv__noise_floor;

static inline const dv__noise_floor *dv__noise_floor_of(double seconds)
{
    static const dv__noise_floor of_long = {1.5F, 0.20}, of_short = {0.5F, 0.05};
    return seconds > DV__LONG_CLIP ? &of_long : &of_short;
}

/* Normalises features (rows, frames) in place, as the configuration says. */
void dv__features_normalize(const dv_features_config *config, int64_t rows, int64_t frames,
                            float *features);

#endif
