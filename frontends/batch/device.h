/*
 * Batches made on the device: clips that lie in its memory are gathered, cut, changed at random and
 * turned into features where the step is computed. Not a node of the graph; frontends/features and
 * frontends/augment say what is computed and are the truth for it.
 *
 * A backend without it (ref, cpu) has batches made by the front-end itself.
 */
#ifndef DV_BATCH_DEVICE_H
#define DV_BATCH_DEVICE_H

#include "engine/core/context.h"
#include "engine/train/trainer.h"
#include "frontends/features/features.h"
#include "kernels/formulas/augment_tables.h"

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

typedef struct dv_clip_store dv_clip_store; /* clips, tables and working memory on a device */

typedef struct dv_device_batches {
    /* For batches of at most `batch` clips. Nothing of the lists is kept. */
    dv_status (*create)(dv_context *context, const dv_feature_tables *tables,
                        const dv_clip_list *clips, int64_t batch, dv_clip_store **out);
    void (*destroy)(dv_clip_store *store); /* NULL: nothing */
    /* Enqueues; may be recorded. */
    dv_status (*batch)(dv_clip_store *store, const dv_batch_request *request);
} dv_device_batches;

/* How the backend's devices make batches; NULL: the front-end makes them. */
const dv_device_batches *dv_device_batches_of(const dv_backend *backend);

#endif
