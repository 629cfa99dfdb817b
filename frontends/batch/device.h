/*
 * Batches made on the device: clips that lie in its memory are gathered, cut, augmented and turned
 * into features there. This is no node of the graph. frontends/features and frontends/augment
 * define the results.
 *
 * For a backend without it (ref, cpu) the front-end makes the batches.
 */
#ifndef DV_BATCH_DEVICE_H
#define DV_BATCH_DEVICE_H

#include "engine/core/context.h"
#include "engine/train/trainer.h"
#include "frontends/features/features.h"
#include "kernels/formulas/augment_tables.h"

/* A prepared clip (dv_frontend_prepare) in host memory. Only create reads it. */
typedef struct dv_clip_view {
    const float *samples; /* (count) */
    int64_t count;
    int64_t center; /* where the window is placed */
    int64_t label;
    float rms; /* over all samples; the reference level of noise and clipping */
} dv_clip_view;

typedef struct dv_clip_list {
    const dv_clip_view *clips; /* (count) */
    int64_t count, classes;
    const float *class_weights; /* (classes), factors of the targets in training; NULL for 1 */
    dv_augment_tables augment;  /* see dv_augmenter_tables; in host memory */
} dv_clip_list;

typedef struct dv_clip_store dv_clip_store; /* clips, tables and working memory on a device */

typedef struct dv_device_batches {
    /* Makes a store for batches of at most `batch` clips. It copies what it needs of the tables and
       clips. */
    dv_status (*create)(dv_context *context, const dv_feature_tables *tables,
                        const dv_clip_list *clips, int64_t batch, dv_clip_store **out);
    void (*destroy)(dv_clip_store *store); /* does nothing for NULL */
    /* Enqueues the work. It may be recorded. */
    dv_status (*batch)(dv_clip_store *store, const dv_batch_request *request);
} dv_device_batches;

/* The functions by which the backend makes batches, or NULL if the front-end makes them. */
const dv_device_batches *dv_device_batches_of(const dv_backend *backend);

#endif
