/* The generator Philox4x32-10, and uniform numbers, normal numbers and permutations from its
   words. */
#include "engine/base/rng.h"

#include <math.h>

static void philox_round(uint32_t counter[4], const uint32_t key[2])
{
    uint64_t product0 = (uint64_t)0xD2511F53U * counter[0];
    uint64_t product1 = (uint64_t)0xCD9E8D57U * counter[2];
    uint32_t next[4] = {
        (uint32_t)(product1 >> 32) ^ counter[1] ^ key[0],
        (uint32_t)product1,
        (uint32_t)(product0 >> 32) ^ counter[3] ^ key[1],
        (uint32_t)product0,
    };
    for (int i = 0; i < 4; i++)
        counter[i] = next[i];
}

void dv_rng_words(const dv_rng *rng, uint32_t index, uint32_t words[4])
{
    uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    words[0] = index;
    words[1] = rng->use;
    words[2] = (uint32_t)rng->step;
    words[3] = (uint32_t)(rng->step >> 32);
    for (int round = 0; round < 10; round++) {
        philox_round(words, key);
        key[0] += 0x9E3779B9U;
        key[1] += 0xBB67AE85U;
    }
}

float dv_rng_uniform(const dv_rng *rng, uint32_t index)
{
    uint32_t words[4];
    dv_rng_words(rng, index, words);
    return dv_uniform_from_bits(words[0]);
}

double dv_rng_normal(const dv_rng *rng, uint32_t index)
{
    static const double two_pi = 6.283185307179586;
    uint32_t words[4];
    dv_rng_words(rng, index, words);
    double u = ((double)words[0] + 1.0) / 4294967296.0; /* in (0, 1], so its logarithm is finite */
    double v = (double)words[1] / 4294967296.0;
    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

void dv_rng_shuffle(const dv_rng *rng, int64_t *order, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        uint32_t words[4];
        dv_rng_words(rng, (uint32_t)i, words);
        uint64_t random = ((uint64_t)words[0] << 32) | words[1];
        int64_t j = (int64_t)(random % (uint64_t)(i + 1));
        int64_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}
