/*
 * The noise curve: evaluations of one part of the data at several signal-to-noise ratios (defined
 * in frontends/noise/noise.h), on the same clips with the same noise.
 */
#ifndef DV_EVALUATE_NOISE_CURVE_H
#define DV_EVALUATE_NOISE_CURVE_H

#include "runner/evaluate/report.h"

enum { DV_SNR_LEAST = -60, DV_SNR_MOST = 100 }; /* dB */

typedef struct dv_noise_score {
    int64_t correct, count;
} dv_noise_score;

typedef struct dv_noise_point {
    double snr; /* dB; infinite for the clean recordings */
    dv_noise_score score;
    double low, high; /* Wilson interval of the accuracy */
    double loss, ece;
    dv_noise_score *by_file; /* (noises) score over the clips that get the noise */
    json_t *json;            /* the evaluation; NULL for the clean recordings */
} dv_noise_point;

typedef struct dv_noise_curve {
    uint64_t seed;
    dv_noise_files noises;
    dv_noise_point *points; /* (count) the first one has no noise */
    size_t count, capacity;
} dv_noise_curve;

/* The share of correct answers, or 0 without clips. */
double dv_noise_accuracy(const dv_noise_score *score);

/* The name of a point: "clean" or, for example, "10 dB". */
enum { DV_NOISE_NAME_SIZE = 32 };
const char *dv_noise_point_name(const dv_noise_point *point, char name[DV_NOISE_NAME_SIZE]);

/* Makes a curve without figures. `snr` lists the ratios, separated by commas, in any order. Returns
   DV_EARG, and names the entry, if one is not a number from DV_SNR_LEAST to DV_SNR_MOST. Free the
   curve with dv_noise_curve_free; it is zero on failure. */
dv_status dv_noise_curve_begin(const char *snr, uint64_t seed, dv_noise_curve *out);
void dv_noise_curve_free(dv_noise_curve *curve);

/* Reads the noises of `paths` (see dv_noise_files_read) at the sample rate of the model. */
dv_status dv_noise_curve_read(dv_noise_curve *curve, const char *paths, const dv_model *model);

/*
 * Evaluates all points. `clean` is the report of this model on the recorded sounds of `part`. The
 * clips of `dataset` hold noisy sound afterwards, so whatever needs the recorded sounds must be
 * done before. If `clips` is true, the JSON of a point has the answer to each clip.
 */
dv_status dv_noise_curve_make(dv_noise_curve *curve, dv_model *model, int threads,
                              const dv_report *clean, dv_dataset *dataset, dv_part part,
                              double max_seconds, bool clips, const dv_log *log);

/* Prints a table of the points and, if there are several noises, a table by noise. */
void dv_noise_curve_text(const dv_noise_curve *curve, FILE *out);

/* Adds three keys to an evaluation: `noise` has the evaluation at each ratio, with `snr` and
   `files` (the accuracy by noise); `noise_files` has the accuracy by noise of the clean recordings;
   `noise_seed` is the seed. */
dv_status dv_noise_curve_json(const dv_noise_curve *curve, json_t *evaluation);

#endif
