/* A loaded data set as the trainer's source of batches. Training clips are augmented and their
   targets weighted (dv_dataset.class_weights). Validation clips are neither. */
#ifndef DV_BATCH_SOURCE_H
#define DV_BATCH_SOURCE_H

#include "engine/train/trainer.h"
#include "frontends/batch/batch.h"

typedef struct dv_clip_source dv_clip_source;

/*
 * `dataset` (loaded and split) and `frontend` are borrowed. If the context's backend makes batches,
 * the clips are copied to its device and batches of at most `batch` clips are made there
 * (dv_source.device_batch); the context must then outlive the source. With a NULL context the
 * front-end makes the batches. `threads` is as in dv_batch_create. DV_EFORMAT if no training clip
 * is left.
 */
dv_status dv_clip_source_create(dv_context *context, const dv_dataset *dataset,
                                const dv_frontend *frontend, const dv_augment_config *augment,
                                int64_t batch, int threads, dv_clip_source **out);
void dv_clip_source_free(dv_clip_source *source);

/* The source for the trainer. It lives as long as the clip source. */
const dv_source *dv_clip_source_get(const dv_clip_source *source);

#endif
