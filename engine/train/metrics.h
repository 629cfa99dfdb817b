/* Measures of a classifier: counts by true and predicted class, and what follows from them. */
#ifndef DV_TRAIN_METRICS_H
#define DV_TRAIN_METRICS_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef struct dv_confusion {
    int64_t classes;
    int64_t *counts; /* (classes, classes): [true][predicted], owned */
} dv_confusion;

dv_status dv_confusion_create(int64_t classes, dv_confusion *out);
void dv_confusion_free(dv_confusion *confusion);
void dv_confusion_add(dv_confusion *confusion, int64_t truth, int64_t predicted);
int64_t dv_confusion_total(const dv_confusion *confusion);
int64_t dv_confusion_correct(const dv_confusion *confusion);

/* Of what was called `class`, the share that is; of what is, the share that was called so. NaN
   where there is nothing to share. */
double dv_confusion_precision(const dv_confusion *confusion, int64_t class);
double dv_confusion_recall(const dv_confusion *confusion, int64_t class);

/* The clips of `class`, and the answers that name it. */
int64_t dv_confusion_clips(const dv_confusion *confusion, int64_t class);
int64_t dv_confusion_answers(const dv_confusion *confusion, int64_t class);

/* F1 of `class`: the harmonic mean of precision and recall, 2 hits / (clips + answers). NaN where
   it has neither clips nor answers. */
double dv_confusion_f1(const dv_confusion *confusion, int64_t class);

/* Means over the classes that have clips, each class with the same weight. A class that no answer
   names counts with a precision of 0. All are NaN without clips. */
typedef struct dv_macro_means {
    double precision, recall, f1;
} dv_macro_means;
dv_macro_means dv_confusion_macro(const dv_confusion *confusion);

/* Wilson's 95 % score interval for `correct` of `total` (Wilson 1927); [0, 1] for total 0. */
void dv_wilson_interval(int64_t correct, int64_t total, double *low, double *high);

/* The same for a share in [0, 1] that is no number of clips by `total`: a mean over several seeds
   on the same clips. */
void dv_wilson_share(double share, int64_t total, double *low, double *high);

/* Index of the largest of `count` values, the first where several are. */
int64_t dv_argmax(const float *values, int64_t count);

/* softmax(logits) in double; probabilities (count) sum to 1. */
void dv_softmax(const float *logits, int64_t count, double *probabilities);

/* The largest of softmax(logits): the confidence of the answer, the same to the bit. */
double dv_confidence(const float *logits, int64_t count);

/* -log softmax(logits)[truth]. */
double dv_cross_entropy(const float *logits, int64_t count, int64_t truth);

/*
 * Calibration: whether a confidence of 0.9 is right nine times of ten. The expected calibration
 * error (Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3): the answers go
 * by their confidence into M = 15 bins of equal width, bin m holding those in (m / M, (m + 1) / M],
 *
 *     ECE = sum over m of n_m / n |accuracy_m - confidence_m|
 *
 * with n_m answers in the bin, the share of them that is right, and their mean confidence.
 */
enum { DV_CALIBRATION_BINS = 15 };

typedef struct dv_calibration_bin {
    int64_t count, correct;
    double confidence; /* sum */
} dv_calibration_bin;

typedef struct dv_calibration {
    dv_calibration_bin bins[DV_CALIBRATION_BINS];
} dv_calibration; /* begins as {0} */

/* confidence: 0..1 (0 itself goes into the first bin). */
void dv_calibration_add(dv_calibration *calibration, double confidence, bool correct);

/* The lower end of bin `bin`, and for DV_CALIBRATION_BINS the upper end of the last one. */
double dv_calibration_edge(int bin);

/* 0..1; 0 without answers. */
double dv_calibration_error(const dv_calibration *calibration);

#endif
