#include "tests/support/noises.h"
#include "engine/base/rng.h"
#include "tests/support/must.h"

float *swelling_noises(size_t sounds, size_t count, uint64_t seed)
{
    dv_rng rng = {.seed = seed, .use = DV_RNG_TEST};
    float *samples = allocated(sounds * count, sizeof *samples);
    for (size_t i = 0; i < sounds * count; i++)
        samples[i] =
            0.1F * (float)dv_rng_normal(&rng, (uint32_t)i) * ((float)(i % count) / (float)count);
    return samples;
}
