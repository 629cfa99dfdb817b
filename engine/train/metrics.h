/* Measures of a classifier: the confusion matrix, intervals, and calibration. */
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

/* Precision is the share of the predictions of `class` that are right. Recall is the share of the
   clips of `class` that are predicted so. Both are NaN if there is no such prediction or clip. */
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

/* The same for a share in [0, 1] that need not be a whole number of clips by `total`, such as a
   mean over several seeds on the same clips. */
void dv_wilson_share(double share, int64_t total, double *low, double *high);

/* Index of the largest of `count` values; in a tie, the first. */
int64_t dv_argmax(const float *values, int64_t count);

/* probabilities (count) = softmax(logits), computed in double. */
void dv_softmax(const float *logits, int64_t count, double *probabilities);

/* The confidence of the answer: the largest probability of dv_softmax, equal to the bit. */
double dv_confidence(const float *logits, int64_t count);

/* -log softmax(logits)[truth]. */
double dv_cross_entropy(const float *logits, int64_t count, int64_t truth);

/*
 * Calibration: whether answers of confidence 0.9 are right nine times out of ten. The measure is
 * the expected calibration error (Guo et al., "On calibration of modern neural networks", ICML
 * 2017, eq. 3). The n answers fall by their confidence into M = 15 bins of equal width, bin m for
 * (m / M, (m + 1) / M]:
 *
 *     ECE = sum over m of n_m / n |accuracy_m - confidence_m|
 *
 * n_m is the number of answers in bin m, accuracy_m the share of right ones, and confidence_m the
 * mean confidence.
 */
enum { DV_CALIBRATION_BINS = 15 };

typedef struct dv_calibration_bin {
    int64_t count, correct;
    double confidence; /* sum of the answers' confidences */
} dv_calibration_bin;

typedef struct dv_calibration {
    dv_calibration_bin bins[DV_CALIBRATION_BINS];
} dv_calibration; /* initialise it with {0} */

/* Adds an answer. `confidence` is from 0 to 1; 0 falls into the first bin. */
void dv_calibration_add(dv_calibration *calibration, double confidence, bool correct);

/* The lower end of bin `bin`. DV_CALIBRATION_BINS gives the upper end of the last bin. */
double dv_calibration_edge(int bin);

/* The expected calibration error, from 0 to 1. It is 0 without answers. */
double dv_calibration_error(const dv_calibration *calibration);

#endif
