/* A loaded data set as the trainer's source of batches: training clips are augmented, and their
   targets weighted (dv_dataset.class_weights), validation clips are not. */
#ifndef DV_BATCH_SOURCE_H
#define DV_BATCH_SOURCE_H

#include "engine/train/trainer.h"
#include "frontends/batch/batch.h"

typedef struct dv_clip_source dv_clip_source;

/*
 * `dataset` (loaded and split) and `frontend` are borrowed. DV_EFORMAT when no training clip is
 * left. Where the context's backend makes features, the clips are put into the memory of its device
 * and batches of at most `batch` clips are made there (dv_source.device_batch); the context must
 * then outlive the source, and may be NULL for batches by the front-end alone. `threads` as in
 * dv_batch_create.
 */
dv_status dv_clip_source_create(dv_context *context, const dv_dataset *dataset,
                                const dv_frontend *frontend, const dv_augment_config *augment,
                                int64_t batch, int threads, dv_clip_source **out);
void dv_clip_source_free(dv_clip_source *source);

/* What the trainer takes; lives as long as the clip source. */
const dv_source *dv_clip_source_get(const dv_clip_source *source);

#endif
