/* A loaded data set as the trainer's source of batches: training clips are augmented, validation
   clips are not. */
#ifndef DV_FRONTENDS_SOURCE_H
#define DV_FRONTENDS_SOURCE_H

#include "engine/train/trainer.h"
#include "frontends/batch.h"

typedef struct dv_clip_source dv_clip_source;

/* `dataset` (loaded and split) and `frontend` are borrowed. DV_EARG when no training clip is
   left. `threads` as in dv_batch_create. */
dv_status dv_clip_source_create(const dv_dataset *dataset, const dv_frontend *frontend,
                                const dv_augment_config *augment, int threads,
                                dv_clip_source **out);
void dv_clip_source_free(dv_clip_source *source);

/* What the trainer takes; lives as long as the clip source. */
const dv_source *dv_clip_source_get(const dv_clip_source *source);

#endif
