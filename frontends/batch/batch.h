/* Batches of features, computed in parallel over the clips, without allocation. */
#ifndef DV_BATCH_H
#define DV_BATCH_H

#include "frontends/augment/augment.h"
#include "frontends/dataset/dataset.h"

typedef struct dv_batch_workspace dv_batch_workspace; /* working memory of each thread */

/* `frontend` and `augmenter` (NULL: none) are borrowed and must outlive the batch. threads 0: as
   many as OpenMP has. */
dv_status dv_batch_create(const dv_frontend *frontend, const dv_augmenter *augmenter, int threads,
                          dv_batch_workspace **out);
void dv_batch_free(dv_batch_workspace *batch);

/*
 * Cuts and, where `rng` is given, changes at random the clips `indices` (count) of a loaded data
 * set, and computes features (count, rows, frames). The same for every number of threads.
 * rng: DV_RNG_AUGMENT at this training step; NULL: the clips as they are, for evaluation.
 * Nothing in it can fail: a clip out of range or not loaded is an error of the caller (asserted).
 */
void dv_batch_features(dv_batch_workspace *batch, const dv_dataset *dataset, const int64_t *indices,
                       int64_t count, const dv_rng *rng, float *features);

#endif
