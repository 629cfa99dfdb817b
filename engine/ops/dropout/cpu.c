/* Dropout on the CPU: forward draws blocks of random words and saves a byte for each element. */
#include "engine/ops/dropout/dropout.h"

#include "engine/base/rng.h"
#include "engine/ops/cpu.h"

#include <math.h>
#include <string.h>

/* Counters of the random numbers in a block, and elements; a counter gives 4 words. */
enum { GROUP = 64, BLOCK = 4 * GROUP };

/* The number of random decisions: one for each element, or one for each (n, c). */
static int64_t random_count(const dv_node_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    dv_shape shape = s->node->shape;
    return attr->channels ? shape.n * shape.c : dv_shape_count(shape);
}

static float scale_of(const dv_node_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    return (float)(1 / (1 - attr->rate));
}

/* Saves a byte for each random decision: whether the element stays. The last block is padded. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    int64_t blocks = (random_count(s) + BLOCK - 1) / BLOCK;
    dv_planner_save(planner, (size_t)(blocks * BLOCK));
    return DV_OK;
}

/* One round of Philox (engine/base/rng.c) for GROUP counters side by side. */
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

/* Draws the block from counter `first` on. An element stays if the top 24 bits of its word are at
   least `threshold`. */
DV_CPU_INLINE void draw(const dv_rng *rng, uint32_t first, uint32_t threshold,
                        uint8_t *restrict stays)
{
    uint32_t words[4][GROUP], key0 = (uint32_t)rng->seed, key1 = (uint32_t)(rng->seed >> 32);
    uint32_t flags[BLOCK];
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
            flags[4 * i + k] = (words[k][i] >> 8) >= threshold;
    }
    for (int i = 0; i < BLOCK; i++)
        stays[i] = (uint8_t)flags[i];
}

/* to = from * `scale` for elements that stay, and 0 for others. */
DV_CPU_INLINE void multiply(const float *restrict from, const uint8_t *restrict stays, float scale,
                            float *restrict to, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] * (stays[i] != 0 ? scale : 0.0F);
}

/* The random stream of a step. */
typedef struct stream {
    dv_rng rng;
    uint32_t threshold;
    float scale;
} stream;

static stream stream_of(const dv_node_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    return (stream){
        .rng = {s->pass->seed, DV_RNG_DROPOUT + (uint32_t)s->node->id, s->pass->step},
        .threshold = (uint32_t)ceil(attr->rate * 16777216.0),
        .scale = scale_of(s),
    };
}

/* Draws the blocks from number `first` on, where `count` elements of `from` and `to` begin. If
   `from` is NULL, only the bytes are written. */
DV_CPU_CLONES
static void draw_blocks(const stream *by, int64_t first, int64_t blocks, uint8_t *stays,
                        const float *from, float *to, int64_t count)
{
    dv_rng rng = by->rng;
    for (int64_t i = 0; i < blocks; i++) {
        draw(&rng, (uint32_t)((first + i) * GROUP), by->threshold, stays + i * BLOCK);
        if (from != NULL)
            multiply(from + i * BLOCK, stays + i * BLOCK, by->scale, to + i * BLOCK,
                     dv_smaller(BLOCK, count - i * BLOCK));
    }
}

/* Draws all blocks. If `from` is NULL, only the bytes are written. */
static void draw_all(const dv_node_step *s, const float *from, float *to)
{
    enum { AT_ONCE = DV_CPU_BLOCK / BLOCK };
    stream by = stream_of(s);
    uint8_t *stays = s->saved;
    int64_t count = random_count(s), blocks = (count + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN / 4)
    for (int64_t i = 0; i < blocks; i += AT_ONCE)
        draw_blocks(&by, i, dv_smaller(AT_ONCE, blocks - i), stays + i * BLOCK,
                    from != NULL ? from + i * BLOCK : NULL, from != NULL ? to + i * BLOCK : NULL,
                    count - i * BLOCK);
}

DV_CPU_CLONES
static void multiply_block(const float *from, const uint8_t *stays, float scale, float *to,
                           int64_t count)
{
    multiply(from, stays, scale, to, count);
}

/* to = from * the saved factors: for gradients, and in forward for whole channels. */
static void apply(const dv_node_step *s, const float *from, float *to)
{
    const dv_dropout_attr *attr = s->node->attr;
    const uint8_t *stays = s->saved;
    float scale = scale_of(s);
    dv_shape shape = s->node->shape;
    int64_t count = dv_shape_count(shape), rows = shape.h * shape.w;
    if (attr->channels) {
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
        for (int64_t row = 0; row < shape.n * rows; row++)
            multiply_block(from + row * shape.c, stays + row / rows * shape.c, scale,
                           to + row * shape.c, shape.c);
        return;
    }
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        multiply_block(from + i, stays + i, scale, to + i, dv_smaller(DV_CPU_BLOCK, count - i));
}

static void copy(const dv_node_step *s, const void *from, void *to)
{
    memcpy(to, from, (size_t)dv_shape_count(s->node->shape) * sizeof(float));
}

static dv_status forward(dv_node_step *s)
{
    const dv_dropout_attr *attr = s->node->attr;
    if (!dv__dropout_drops(s))
        copy(s, s->x[0], s->y);
    else if (!attr->channels)
        draw_all(s, s->x[0], s->y);
    else {
        draw_all(s, NULL, NULL);
        apply(s, s->x[0], s->y);
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    if (s->dx[0] == NULL)
        return DV_OK;
    if (dv__dropout_drops(s))
        apply(s, s->dy, s->dx[0]);
    else
        copy(s, s->dy, s->dx[0]);
    return DV_OK;
}

const dv_impl dv_dropout_cpu = {.plan = plan, .forward = forward, .backward = backward};
