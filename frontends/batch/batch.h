/* Batches of features, computed in parallel over the clips, without allocation. */
#ifndef DV_BATCH_H
#define DV_BATCH_H

#include "frontends/augment/augment.h"
#include "frontends/dataset/dataset.h"

typedef struct dv_batch_workspace dv_batch_workspace; /* working memory of each thread */

/* `frontend` and `augmenter` are borrowed and must outlive the workspace; `augmenter` may be NULL.
   `threads` 0 stands for as many as OpenMP has. */
dv_status dv_batch_create(const dv_frontend *frontend, const dv_augmenter *augmenter, int threads,
                          dv_batch_workspace **out);
void dv_batch_free(dv_batch_workspace *batch);

/*
 * Computes features (count, rows, frames) of the clips `indices` (count) of a loaded data set. They
 * are the same for every number of threads. With `rng`, DV_RNG_AUGMENT at this training step, the
 * clips are augmented; without it (NULL) they stay as they are, for evaluation. Nothing here can
 * fail: the caller may not pass a clip that is out of range or not loaded (asserted).
 */
void dv_batch_features(dv_batch_workspace *batch, const dv_dataset *dataset, const int64_t *indices,
                       int64_t count, const dv_rng *rng, float *features);

#endif
