/* Measures of a classifier: counts by true and predicted class, and what follows from them. */
#ifndef DV_TRAIN_METRICS_H
#define DV_TRAIN_METRICS_H

#include "engine/core/status.h"

typedef struct dv_confusion {
    int64_t classes;
    int64_t *counts; /* (classes, classes): [true][predicted], owned */
} dv_confusion;

dv_status dv_confusion_create(int64_t classes, dv_confusion *out);
void dv_confusion_free(dv_confusion *confusion);
void dv_confusion_add(dv_confusion *confusion, int64_t truth, int64_t predicted);
int64_t dv_confusion_total(const dv_confusion *confusion);
int64_t dv_confusion_correct(const dv_confusion *confusion);

/* Of what was called `class`, the share that is; of what is, the share that was called so. 0 where
   there is nothing to share. */
double dv_confusion_precision(const dv_confusion *confusion, int64_t class);
double dv_confusion_recall(const dv_confusion *confusion, int64_t class);

/* Wilson's 95 % score interval for `correct` of `total` (Wilson 1927); [0, 1] for total 0. */
void dv_wilson_interval(int64_t correct, int64_t total, double *low, double *high);

/* Index of the largest of `count` values, the first where several are. */
int64_t dv_argmax(const float *values, int64_t count);

/* softmax(logits) in double; probabilities (count) sum to 1. */
void dv_softmax(const float *logits, int64_t count, double *probabilities);

/* -log softmax(logits)[truth]. */
double dv_cross_entropy(const float *logits, int64_t count, int64_t truth);

#endif
