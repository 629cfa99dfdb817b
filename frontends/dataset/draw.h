/*
 * Drawing clips. Every clip has a key, a hash of its names, the seed and the draw, which does not
 * depend on other clips. The numbers of drawn clips come from systematic sampling: the strata are
 * walked with a random start in steps of 1 / share, so that each stratum and the whole give their
 * share to within one clip, however small the strata are. Of a stratum the clips with the smallest
 * keys are drawn. So few clips change sides when others come or go, and clips that were trained on
 * hardly ever become test clips.
 */
#ifndef DV_DATASET_DRAW_H
#define DV_DATASET_DRAW_H

#include "engine/base/rng.h"
#include "frontends/dataset/dataset.h"

/* The draws. Each is a step of DV_RNG_SPLIT and so has a random stream of its own. */
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
    const bool *from;      /* (clips), the candidates */
    const int64_t *strata; /* (clips), strata within the labels; NULL if these are the strata */
} dv__draw;

dv_rng dv__draw_rng(int64_t seed, dv__draw_use use);

/* The key of a clip or speaker with this hash. */
uint64_t dv__draw_key(uint64_t hash, int64_t seed, dv__draw_use use);

/* Lists the candidates in order of stratum and key. The caller owns *order (*count). */
dv_status dv__draw_order(const dv_dataset *dataset, const dv__draw *draw, size_t **order,
                         size_t *count);

/* Draws `share` of the candidates, at least one and never all. The caller owns *drawn (clips). */
dv_status dv__draw_share(const dv_dataset *dataset, const dv__draw *draw, double share,
                         bool **drawn);

#endif
