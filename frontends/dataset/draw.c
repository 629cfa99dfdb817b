/* Draws clips by their keys within a stratum, and systematically over the strata. */
#include "frontends/dataset/draw.h"
#include "frontends/dataset/dataset_internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct candidate {
    int64_t stratum[2]; /* the label, and the stratum within it or 0 */
    uint64_t key;
    uint64_t tie; /* orders clips of one name in several folders */
    size_t clip;
} candidate;

dv_rng dv__draw_rng(int64_t seed, dv__draw_use use)
{
    return (dv_rng){.seed = (uint64_t)seed, .use = DV_RNG_SPLIT, .step = (uint64_t)use};
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
   generators", OOPSLA 2014). */
static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

uint64_t dv__draw_key(uint64_t hash, int64_t seed, dv__draw_use use)
{
    return mix(hash ^ mix(mix((uint64_t)seed) ^ (uint64_t)use));
}

static int by_stratum(const void *a, const void *b)
{
    const candidate *x = a;
    const candidate *y = b;
    for (int i = 0; i < 2; i++) {
        if (x->stratum[i] != y->stratum[i])
            return x->stratum[i] < y->stratum[i] ? -1 : 1;
    }
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->tie != y->tie)
        return x->tie < y->tie ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

/* Lists the candidates in order. The caller owns *candidates (*count). */
static dv_status list_candidates(const dv_dataset *dataset, const dv__draw *draw,
                                 candidate **candidates, size_t *count)
{
    *count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof **candidates, candidates));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (!draw->from[i])
            continue;
        uint64_t key = dv__draw_key(dv__clip_hash(dataset, clip), draw->seed, draw->use);
        (*candidates)[(*count)++] = (candidate){
            .stratum = {clip->label, draw->strata != NULL ? draw->strata[i] : 0},
            .key = key,
            .tie = mix(key ^ i),
            .clip = i,
        };
    }
    qsort(*candidates, *count, sizeof **candidates, by_stratum);
    return DV_OK;
}

dv_status dv__draw_order(const dv_dataset *dataset, const dv__draw *draw, size_t **order,
                         size_t *count)
{
    candidate *candidates;
    DV_TRY(list_candidates(dataset, draw, &candidates, count));
    dv_status status = dv_calloc(*count, sizeof **order, order);
    for (size_t i = 0; status == DV_OK && i < *count; i++)
        (*order)[i] = candidates[i].clip;
    free(candidates);
    return status;
}

static bool same_stratum(const candidate *a, const candidate *b)
{
    return a->stratum[0] == b->stratum[0] && a->stratum[1] == b->stratum[1];
}

/* Walks through the ordered candidates, stratum by stratum. `start`, 0..1, is where the walk
   begins. */
static void mark_share(const candidate *candidates, int64_t count, double share, double start,
                       bool *drawn)
{
    int64_t marked = 0, first = 0;
    while (first < count) {
        int64_t end = first + 1;
        while (end < count && same_stratum(&candidates[end], &candidates[first]))
            end++;
        double quota = floor(share * (double)end + start) - floor(share * (double)first + start);
        for (int64_t i = first; i < first + (int64_t)quota && marked + 1 < count; i++, marked++)
            drawn[candidates[i].clip] = true;
        first = end;
    }
    if (marked == 0 && count > 1)
        drawn[candidates[0].clip] = true;
}

dv_status dv__draw_share(const dv_dataset *dataset, const dv__draw *draw, double share,
                         bool **drawn)
{
    dv_rng rng = dv__draw_rng(draw->seed, draw->use);
    uint32_t words[4];
    dv_rng_words(&rng, 0, words);
    candidate *candidates;
    size_t count;
    DV_TRY(list_candidates(dataset, draw, &candidates, &count));
    dv_status status = dv_calloc(dataset->count, sizeof **drawn, drawn);
    if (status == DV_OK)
        mark_share(candidates, (int64_t)count, share, ((double)words[0] + 0.5) / 4294967296.0,
                   *drawn);
    free(candidates);
    return status;
}
