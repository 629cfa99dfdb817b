/*
 * Drawing clips. Every clip has a key, the hash of its names, the seed and the draw, that no other
 * one changes. How many clips of a stratum are drawn is systematic sampling: the strata are walked
 * with a random start in steps of 1 / share, so that each gives its share to within one clip, and
 * so does the whole, however small the strata are. Which ones are drawn, the smallest keys, hardly
 * changes where clips come or go: what was trained on does not become the test.
 */
#ifndef DV_DATASET_DRAW_H
#define DV_DATASET_DRAW_H

#include "engine/base/rng.h"
#include "frontends/dataset/dataset.h"

/* What is drawn: steps of DV_RNG_SPLIT, one stream for each. */
typedef enum dv__draw_use {
    DV__DRAW_TEST,
    DV__DRAW_VALIDATION,
    DV__DRAW_SPEAKER_ORDER,
    DV__DRAW_FOLD,
    DV__DRAW_UNKNOWN,
    DV__DRAW_SILENCE
} dv__draw_use;

typedef struct dv__draw {
    int64_t seed;
    dv__draw_use use;
    const bool *from;      /* (clips) which there are to draw */
    const int64_t *strata; /* (clips) within the labels; NULL: the labels are the strata */
} dv__draw;

dv_rng dv__draw_rng(int64_t seed, dv__draw_use use);

/* The place in a draw of what has this hash. */
uint64_t dv__draw_key(uint64_t hash, int64_t seed, dv__draw_use use);

/* The clips that there are, in order of stratum and key: *order (*count), owned by the caller. */
dv_status dv__draw_order(const dv_dataset *dataset, const dv__draw *draw, size_t **order,
                         size_t *count);

/* Draws `share` of the clips that there are, at least one and never all: *drawn (clips), owned by
   the caller. */
dv_status dv__draw_share(const dv_dataset *dataset, const dv__draw *draw, double share,
                         bool **drawn);

#endif
