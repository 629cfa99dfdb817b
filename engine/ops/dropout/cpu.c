#include "engine/ops/dropout/dropout.h"

#include "engine/core/rng.h"
#include "engine/ops/cpu.h"

#include <math.h>
#include <string.h>

enum { GROUP = 64 }; /* random counters per block, 4 elements each */

/* Elements with a number of their own: each, or each (n, c). */
static int64_t random_count(const dv_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    dv_shape shape = s->node->shape;
    return attr->channels ? shape.n * shape.c : dv_shape_count(shape);
}

/* Saved: the factors, 0 or 1 / (1 - rate), for random_count elements, filled up to a block. */
static dv_status plan(dv_planner *planner, dv_step *s)
{
    int64_t blocks = (random_count(s) + 4 * GROUP - 1) / (4 * GROUP);
    dv_planner_save(planner, (size_t)blocks * 4 * GROUP * sizeof(float));
    return DV_OK;
}

/* One round of Philox (engine/core/rng.c) on `GROUP` counters side by side. */
DV_CPU_INLINE void philox_round(uint32_t (*restrict w)[GROUP], uint32_t key0, uint32_t key1)
{
#pragma omp simd
    for (int i = 0; i < GROUP; i++) {
        uint64_t product0 = (uint64_t)0xD2511F53U * w[0][i];
        uint64_t product1 = (uint64_t)0xCD9E8D57U * w[2][i];
        uint32_t next0 = (uint32_t)(product1 >> 32) ^ w[1][i] ^ key0;
        uint32_t next2 = (uint32_t)(product0 >> 32) ^ w[3][i] ^ key1;
        w[1][i] = (uint32_t)product1;
        w[3][i] = (uint32_t)product0;
        w[0][i] = next0;
        w[2][i] = next2;
    }
}

/* Factors of 4 * GROUP elements from counter `first`; an element stays where the top 24 bits of its
   word are at least `threshold`. */
DV_CPU_CLONES
static void draw(const dv_rng *rng, uint32_t first, uint32_t threshold, float scale,
                 float *restrict factors)
{
    uint32_t words[4][GROUP], key0 = (uint32_t)rng->seed, key1 = (uint32_t)(rng->seed >> 32);
    for (uint32_t i = 0; i < GROUP; i++) {
        words[0][i] = first + i;
        words[1][i] = rng->use;
        words[2][i] = (uint32_t)rng->step;
        words[3][i] = (uint32_t)(rng->step >> 32);
    }
    for (int round = 0; round < 10; round++) {
        philox_round(words, key0, key1);
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    for (int i = 0; i < GROUP; i++) {
        for (int k = 0; k < 4; k++)
            factors[4 * i + k] = (words[k][i] >> 8) >= threshold ? scale : 0.0F;
    }
}

static void draw_all(const dv_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    dv_rng rng = {s->run->seed, DV_RNG_DROPOUT + (uint32_t)s->node->id, s->run->step};
    float *factors = s->saved, scale = (float)(1 / (1 - attr->rate));
    uint32_t threshold = (uint32_t)ceil(attr->rate * 16777216.0);
    int64_t blocks = (random_count(s) + 4 * GROUP - 1) / (4 * GROUP);
#pragma omp parallel for schedule(static) if (blocks * 4 * GROUP > DV_CPU_GRAIN / 4)
    for (int64_t block = 0; block < blocks; block++)
        draw(&rng, (uint32_t)(block * GROUP), threshold, scale, factors + block * 4 * GROUP);
}

DV_CPU_CLONES
static void multiply(const float *restrict from, const float *restrict factors, float *restrict to,
                     int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] * factors[i];
}

/* to = from times the factors; backward multiplies the gradient alike. */
static void apply(const dv_step *s, const float *from, float *to)
{
    const dv_dropout_attr *attr = s->node->attr;
    const float *factors = s->saved;
    dv_shape shape = s->node->shape;
    int64_t count = dv_shape_count(shape), rows = shape.h * shape.w;
    if (!s->run->training) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return;
    }
    if (attr->channels) {
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
        for (int64_t row = 0; row < shape.n * rows; row++)
            multiply(from + row * shape.c, factors + row / rows * shape.c, to + row * shape.c,
                     shape.c);
        return;
    }
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        multiply(from + i, factors + i, to + i, dv__smaller(DV_CPU_BLOCK, count - i));
}

static dv_status forward(dv_step *s)
{
    if (s->run->training)
        draw_all(s);
    apply(s, s->x[0], s->y);
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    if (s->dx[0] != NULL)
        apply(s, s->dy, s->dx[0]);
    return DV_OK;
}

const dv_impl dv__dropout_cpu = {.plan = plan, .forward = forward, .backward = backward};
