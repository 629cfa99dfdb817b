/* The clip and the random words of a place in a batch, for the kernels of the front-end. */
#ifndef DV_KERNELS_CLIP_CUH
#define DV_KERNELS_CLIP_CUH

#include "kernels/features.h"
#include "kernels/formulas/augment_math.h"
#include "kernels/philox.cuh"

struct dv_cut {
    const float *samples; /* all samples of the clip */
    int64_t count, center;
    float rms;
    int32_t label;
    float target; /* the target at its label */
};

static __device__ __forceinline__ uint64_t dv_random_step(const dv_random_places &random)
{
    return random.always_first ? 0 : random.progress->step;
}

/* `place` counts over the whole batch. */
static __device__ __forceinline__ dv_philox_words dv_place_words(const dv_random_places &random,
                                                                 int64_t place, int block)
{
    const dv_philox stream = {random.seed, dv_random_step(random), random.use};
    return dv_philox_at(stream, (uint32_t)place | (uint32_t)block << DV_AUGMENT_PLACE_BITS);
}

static __device__ inline dv_cut dv_find_cut(const dv_clip_frames &call, int64_t place)
{
    int64_t at = call.first + place;
    if (call.random.progress != nullptr) {
        const uint64_t step = dv_random_step(call.random);
        at = (int64_t)(step % call.steps_per_epoch) * call.count + place;
    }
    at = at < call.order_count ? at : call.order_count - 1;
    const dv_stored_clip clip = call.clips[call.order[at]];
    const float target = call.random.progress != nullptr ? clip.weight : 1.0F;
    return {call.samples + clip.offset, clip.count, clip.center, clip.rms, clip.label, target};
}

static __device__ inline void dv_draw(const dv_clip_frames &call, int64_t place,
                                      dv_augment_draws *draws)
{
    uint32_t words[DV_AUGMENT_DRAWN_BLOCKS][4];
    for (int block = 0; block < DV_AUGMENT_DRAWN_BLOCKS; block++) {
        const dv_philox_words drawn =
            dv_place_words(call.random, place, (int)dv_augment_drawn_block((uint32_t)block));
        for (int i = 0; i < 4; i++)
            words[block][i] = drawn.word[i];
    }
    dv_augment_make_draws(&call.augment, call.length, words, draws);
}

#endif
