/*
 * The noise curve: the evaluation of one part of the data again at each of several signal-to-noise
 * ratios (frontends/noise/noise.h says what they are), on the same clips with the same noise.
 */
#ifndef DV_EVALUATE_NOISE_CURVE_H
#define DV_EVALUATE_NOISE_CURVE_H

#include "runner/evaluate/report.h"

/* dB */
enum { DV_SNR_LEAST = -60, DV_SNR_MOST = 100 };

typedef struct dv_noise_score {
    int64_t correct, count;
} dv_noise_score;

typedef struct dv_noise_point {
    double snr; /* dB; infinite for the clean recordings */
    dv_noise_score score;
    double low, high; /* Wilson's interval */
    double loss, ece;
    dv_noise_score *by_file; /* (noises) of the clips that a noise is given to */
    json_t *json;            /* the evaluation; NULL for the clean recordings */
} dv_noise_point;

typedef struct dv_noise_curve {
    uint64_t seed;
    dv_noise_files noises;
    dv_noise_point *points; /* (count) the first is clean */
    size_t count, capacity;
} dv_noise_curve;

/* Of no clips 0. */
double dv_noise_accuracy(const dv_noise_score *score);

/* "clean", "10 dB" */
enum { DV_NOISE_NAME_SIZE = 32 };
const char *dv_noise_point_name(const dv_noise_point *point, char name[DV_NOISE_NAME_SIZE]);

/* `snr`: ratios separated by commas, in any order. DV_EARG names the one that is no number from
   DV_SNR_LEAST to DV_SNR_MOST. Free with dv_noise_curve_free; zeroed on failure. */
dv_status dv_noise_curve_begin(const char *snr, uint64_t seed, dv_noise_curve *out);
void dv_noise_curve_free(dv_noise_curve *curve);

/* Reads the noises of `paths` (dv_noise_list) for the front-end of this model. */
dv_status dv_noise_curve_read(dv_noise_curve *curve, const char *paths, const dv_model *model);

/*
 * Makes all points. `clean` is the report of this model on `part` of `dataset` as recorded.
 * The clips that it points to are loaded again and hold noisy sound afterwards: what needs them has
 * to be done before. `clips`: points with the answer to every clip.
 */
dv_status dv_noise_curve_make(dv_noise_curve *curve, dv_model *model, int threads,
                              const dv_report *clean, dv_dataset *dataset, dv_part part,
                              double max_seconds, bool clips, const dv_log *log);

/* A table of the points, and where there are several noises one by noise. */
void dv_noise_curve_text(const dv_noise_curve *curve, FILE *out);

/* Adds to an evaluation: `noise`, the evaluation at each ratio with `snr` and `files` (accuracy by
   noise); `noise_files`, the same by noise of the clean recordings; `noise_seed`. */
dv_status dv_noise_curve_json(const dv_noise_curve *curve, json_t *evaluation);

#endif
