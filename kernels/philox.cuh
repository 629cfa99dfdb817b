/* Philox4x32-10, which gives the numbers of engine/base/rng.h: Salmon et al., "Parallel random
   numbers: as easy as 1, 2, 3", SC'11. */
#ifndef DV_KERNELS_PHILOX_CUH
#define DV_KERNELS_PHILOX_CUH

#include "kernels/device.cuh"

/* The key of a stream of numbers. */
struct dv_philox {
    uint64_t seed, step;
    uint32_t use;
};

struct dv_philox_words {
    uint32_t word[4];
};

/* Four independent words for this index. */
static __device__ __forceinline__ dv_philox_words dv_philox_at(const dv_philox &stream,
                                                               uint32_t index)
{
    uint32_t key0 = (uint32_t)stream.seed, key1 = (uint32_t)(stream.seed >> 32);
    uint32_t a = index, b = stream.use, c = (uint32_t)stream.step;
    uint32_t d = (uint32_t)(stream.step >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53U * a, product1 = (uint64_t)0xCD9E8D57U * c;
        a = (uint32_t)(product1 >> 32) ^ b ^ key0;
        b = (uint32_t)product1;
        c = (uint32_t)(product0 >> 32) ^ d ^ key1;
        d = (uint32_t)product0;
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    return {{a, b, c, d}};
}

#endif
