/* Kernels of dropout. Each thread draws the random words of its elements itself. */
#include "kernels/dropout.h"

#include "kernels/index.cuh"
#include "kernels/philox.cuh"

#include <math.h>

/* A number stays if the top 24 bits of its word are at least `threshold`. */
struct rule {
    dv_philox stream;
    const dv_progress *progress;
    uint32_t threshold;
    float scale;
};

static __device__ __forceinline__ dv_philox numbers(const rule &by)
{
    dv_philox stream = by.stream;
    if (by.progress != nullptr)
        stream.step = by.progress->step;
    return stream;
}

static __device__ __forceinline__ float factor(const rule &by, uint32_t word)
{
    return (word >> 8) >= by.threshold ? by.scale : 0.0F;
}

/* A thread has four elements, for the four words of an index. */
template <class T> __global__ void drop_elements(rule by, const T *from, T *out, int count)
{
    dv_philox stream = numbers(by);
    for (int index = dv_first_int(); 4 * index < count; index += dv_stride_int()) {
        dv_philox_words words = dv_philox_at(stream, (uint32_t)index);
        for (int k = 0; k < 4; k++) {
            int i = 4 * index + k;
            if (i < count)
                out[i] = dv_from_float<T>(dv_to_float(from[i]) * factor(by, words.word[k]));
        }
    }
}

/* The same four words serve all positions of four (sample, channel) pairs. */
template <class T>
__global__ void drop_channels(rule by, const T *from, T *out, int count, int sample, int channels)
{
    dv_philox stream = numbers(by);
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        uint32_t pair = (uint32_t)(i / sample * channels + i % channels);
        dv_philox_words words = dv_philox_at(stream, pair / 4);
        uint32_t word = words.word[0];
        for (uint32_t k = 1; k < 4; k++) /* registers cannot be indexed */
            word = pair % 4 == k ? words.word[k] : word;
        out[i] = dv_from_float<T>(dv_to_float(from[i]) * factor(by, word));
    }
}

/* Launches drop_elements with a thread for four elements, or, for whole channels, drop_channels
   with a thread for each element. */
int dv_launch_dropout(dv_dtype dtype, const dv_dropout *dropout, const void *from, void *out,
                      void *stream)
{
    int64_t sample = dropout->positions * dropout->channels, count = dropout->samples * sample;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    rule by;
    by.stream = {dropout->seed, dropout->step, dropout->use};
    by.progress = dropout->progress;
    by.threshold = (uint32_t)ceil(dropout->rate * 16777216.0); /* 2^24 */
    by.scale = (float)(1.0 / (1.0 - dropout->rate));
    if (!dropout->whole_channels) {
        dim3 quarter = dv_blocks_for((count + 3) / 4, DV_THREADS);
        DV_WITH_DTYPE(dtype, T,
                      DV_LAUNCH(drop_elements<T>, quarter, DV_THREADS, 0, stream, by,
                                (const T *)from, (T *)out, (int)count));
        return dv_launch_status();
    }
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(drop_channels<T>, grid, DV_THREADS, 0, stream, by, (const T *)from,
                            (T *)out, (int)count, (int)sample, (int)dropout->channels));
    return dv_launch_status();
}
