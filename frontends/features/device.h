/*
 * Batches made on the device: clips that lie in its memory are gathered, cut, changed at random and
 * turned into features where the step is computed. Not a node of the graph; the front-end
 * (frontends/features) says what is computed and is the truth for it.
 *
 * A backend without it (ref, cpu) has batches made by the front-end itself.
 */
#ifndef DV_FEATURES_DEVICE_H
#define DV_FEATURES_DEVICE_H

#include "engine/base/status.h"
#include "kernels/augment.h"
#include "kernels/formulas/progress.h"

#include <stdint.h>

typedef struct dv_context dv_context;

typedef enum dv_feature_kind {
    DV_FEATURES_MFCC,
    DV_FEATURES_MEL,
    DV_FEATURES_SPECTROGRAM
} dv_feature_kind;

typedef enum dv_feature_over { /* what a mean or deviation is taken over */
                               DV_FEATURES_OVER_NONE,
                               DV_FEATURES_OVER_CLIP,
                               DV_FEATURES_OVER_BAND
} dv_feature_over;

/* What a front-end computes, with its tables (host memory, read by create alone). */
typedef struct dv_feature_tables {
    dv_feature_kind kind;
    int64_t samples, frames, rows; /* of a window; features are (rows, frames) */
    int64_t n_fft, hop, bands, coefficients;
    const float *window;      /* (n_fft): zeros around the Hann window included */
    const int64_t *mel_first; /* (bands): first bin of a band */
    const int64_t *mel_start; /* (bands + 1): where its weights begin */
    const float *mel_weights; /* (mel_start[bands]) */
    const float *dct;         /* (coefficients, bands) */
    double top_db;            /* 0: no floor */
    dv_feature_over mean, deviation;
} dv_feature_tables;

/* Prepared clips (dv_frontend_prepare), host memory, read by create alone. */
typedef struct dv_clip_view {
    const float *samples; /* (count) */
    int64_t count;
    int64_t center; /* where the window is placed */
    int64_t label;
    float rms; /* of all samples, what noise is measured against */
} dv_clip_view;

typedef struct dv_clip_list {
    const dv_clip_view *clips; /* (count) */
    int64_t count, classes;
    const float *class_weights; /* (classes) of the targets in training; NULL: 1 */
    dv_augment_tables augment;  /* as frontends/augment/augment.h defines it; host memory too */
} dv_clip_list;

/* One batch. Pointers are device memory. */
typedef struct dv_batch_request {
    int64_t count;
    const int32_t *order; /* clips of an epoch, one after the other */
    int64_t order_count;
    /* Training: clips order[place * count ...], place = progress->step modulo steps_per_epoch, with
       augmentation by `seed` and progress->step. NULL: order[first ...] as they are, the last one
       repeated where the order ends. */
    const dv_progress *progress;
    uint64_t steps_per_epoch, seed;
    bool always_first; /* the batch of step 0, whatever the step */
    int64_t first;
    void *features; /* (count, rows, frames), of the context's dtype */
    float *targets; /* (count, classes), one-hot where nothing mixes, in training times the class's
                       weight; NULL: not wanted */
} dv_batch_request;

typedef struct dv_clip_store dv_clip_store; /* clips, tables and working memory on a device */

typedef struct dv_features_impl {
    /* For batches of at most `batch` clips. Nothing of the lists is kept. */
    dv_status (*create)(dv_context *context, const dv_feature_tables *tables,
                        const dv_clip_list *clips, int64_t batch, dv_clip_store **out);
    void (*destroy)(dv_clip_store *store); /* NULL: nothing */
    /* Enqueues; may be recorded. */
    dv_status (*batch)(dv_clip_store *store, const dv_batch_request *request);
} dv_features_impl;

#endif
