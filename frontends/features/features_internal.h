/* Shared by the files of the front-end: the immutable tables of the fast form. */
#ifndef DV_FEATURES_INTERNAL_H
#define DV_FEATURES_INTERNAL_H

#include "engine/base/clones.h"
#include "frontends/features/features.h"

/* Frames that are transformed side by side. They are the innermost index of all work arrays, so
   that each loop over them is a whole number of vectors on every instruction set. */
enum { DV__LANES = 16 };

/* A real transform of `size` points, computed as a complex one of size / 2 over even and odd
   samples. */
typedef struct dv__fft {
    int64_t size;    /* power of two, at least 16 */
    float *twiddles; /* seven complex factors for each pass and index */
    float *unpack;   /* (size / 2, 2): exp(-2 pi i k / size) */
} dv__fft;

dv_status dv__fft_create(int64_t size, dv__fft *fft);
void dv__fft_free(dv__fft *fft);

/* Floats of the work space of dv__fft_power. */
int64_t dv__fft_work(const dv__fft *fft);

/* DV__LANES frames. Sample n of the first frame is at samples[offsets[n]]; the same sample of the
   other frames follows it. */
typedef struct dv__frames {
    const float *samples;
    const int32_t *offsets; /* (size) */
    const float *weights;   /* (size), half of each sample's weight */
} dv__frames;

/* Computes the power spectra, power (size / 2 + 1, lanes). */
void dv__fft_power(const dv__fft *fft, const dv__frames *frames, float *work, float *power);

/* Triangular filters. Each has weights for a run of bins. */
typedef struct dv__mel {
    int64_t bands;
    int64_t *first; /* (bands), the first bin with a weight */
    int64_t *start; /* (bands + 1), index of a band's first weight */
    float *weights;
} dv__mel;

/* DV_ECONFIG if a band is so narrow that it holds no bin. */
dv_status dv__mel_create(const dv_features_config *config, dv__mel *mel);
void dv__mel_free(dv__mel *mel);

struct dv_frontend {
    dv_features_config config;
    int64_t samples, frames, rows, bins;
    int64_t levels; /* rows of decibels: mel bands or bins; there may be more bands than bins */
    int64_t lead;   /* see dv_feature_tables */
    dv_frame_edges edges;
    float *window;  /* (n_fft), the centred Hann window with zeros around it */
    float *weights; /* (n_fft), window / 2 */
    /* The samples of a window are laid out (phases, pitch). Sample n of frame f is at
       (n % hop, n / hop + f), so samples of neighbouring frames are neighbours. */
    int64_t phases, pitch;
    int32_t *offsets; /* (n_fft), places of frame 0's samples in that layout */
    dv__fft fft;
    dv__mel mel; /* without bands if every bin is a band */
    float *dct;  /* (n_mfcc, n_mels) or NULL */
};

/* Checks every field against its table and the fields against each other. */
dv_status dv__features_check(const dv_features_config *config);

/* Samples in the window, frames and rows of the result, for a checked configuration. */
int64_t dv__features_samples(const dv_features_config *config);
int64_t dv__features_frames(const dv_features_config *config);
int64_t dv__features_rows(const dv_features_config *config);

/* The `lead` of dv_feature_tables. */
int64_t dv__features_lead(const dv_features_config *config);

/* The upper end of the mel filters in Hz. */
double dv__features_fmax(const dv_features_config *config);

/* ---- Shared by placement.c and placement_program.c ---- */

#define DV__SILENCE 1e-6  /* -120 dB; a clip below this level is left alone */
#define DV__RMS_LEVEL 0.1 /* -20 dB, so that peaks of speech stay below 1 */

#define DV__SILENT_BAND (-100.0) /* decibels of the least power of a band, 1e-10 */

/* Samples of a frame of the envelope (25 ms), and from one frame to the next (10 ms). */
#define DV__ENVELOPE_LENGTH(sample_rate) ((sample_rate) / 40)
#define DV__ENVELOPE_HOP(sample_rate) ((sample_rate) / 100)

#define DV__LONG_CLIP 0.7 /* s */

/* The noise floor of an envelope: `factor` times the quantile `fraction` (0..1) of its frames. A
   clip that is not longer than DV__LONG_CLIP is mostly word. Its quiet frames say little about the
   noise, so the floor is set low. */
typedef struct dv__noise_floor {
    float factor;
    double fraction;
} dv__noise_floor;

static inline const dv__noise_floor *dv__noise_floor_of(double seconds)
{
    static const dv__noise_floor of_long = {1.5F, 0.20}, of_short = {0.5F, 0.05};
    return seconds > DV__LONG_CLIP ? &of_long : &of_short;
}

/* Normalises features (rows, frames) in place according to the configuration. */
void dv__features_normalize(const dv_features_config *config, int64_t rows, int64_t frames,
                            float *features);

#endif
