/* Augmentation on the device. frontends/augment/augment.h defines the results. */
#include "kernels/clip_store.cuh"
#include "kernels/index.cuh"

/* ---- Windows ---- */

/* A place of the batch, with its clip and its draws. */
struct place {
    dv_cut from;
    dv_augment_draws draws;
    dv_augment_finish finish;
};

static __device__ void make_place(const dv_clip_frames &call, place *out)
{
    const int64_t number = call.random.place + blockIdx.y;
    out->from = dv_find_cut(call, number);
    dv_draw(call, number, &out->draws);
    dv_augment_make_finish(&call.augment, &out->draws, out->from.rms, out->from.count,
                           out->from.center, call.length, &out->finish);
}

static __device__ __forceinline__ float sample_at(const dv_cut &from, int64_t i)
{
    return i >= 0 && i < from.count ? from.samples[i] : 0.0F;
}

static __device__ __forceinline__ float weighted_pair(float a, float x, float b, float y)
{
    return __fadd_rn(__fmul_rn(a, x), __fmul_rn(b, y));
}

/* The filtered sample whose taps begin at sample `first`. The sum has the order of the front-end's
   vectors. */
static __device__ float filtered(const dv_cut &from, int64_t first, const float *filter)
{
    static_assert(DV_RESAMPLE_TAPS == 32, "four times eight");
    float sums[8];
    DV_UNROLL
    for (int i = 0; i < 8; i++)
        sums[i] = __fadd_rn(weighted_pair(filter[i], sample_at(from, first + i), filter[i + 8],
                                          sample_at(from, first + i + 8)),
                            weighted_pair(filter[i + 16], sample_at(from, first + i + 16),
                                          filter[i + 24], sample_at(from, first + i + 24)));
    DV_UNROLL
    for (int i = 0; i < 4; i++)
        sums[i] = __fadd_rn(sums[i], sums[i + 4]);
    return __fadd_rn(__fadd_rn(sums[0], sums[2]), __fadd_rn(sums[1], sums[3]));
}

/* The clip at sample t of the window. t may be negative, for samples before the window. */
static __device__ float dry_sample(const dv_clip_frames &call, const place &at, int64_t t)
{
    const dv_cut &from = at.from;
    if (call.augment.resampler == nullptr)
        return sample_at(from, from.center + at.draws.shift - call.length / 2 + t);
    const int64_t position = dv_augment_position(&at.draws, from.center, call.length, t);
    const int64_t first = dv_augment_whole(position) - (DV_RESAMPLE_TAPS / 2 - 1);
    const float *filter = dv_augment_filter(&call.augment, at.draws.step) +
                          dv_augment_phase(position) * DV_RESAMPLE_TAPS;
    if (first >= from.count || first + DV_RESAMPLE_TAPS <= 0)
        return 0.0F;
    return filtered(from, first, filter);
}

/* A block has DV_THREADS samples of a place's window with the `history` samples before it. */
__global__ void clip_windows(dv_clip_frames call, int64_t history, bool finish, float *windows)
{
    DV_SHARED(place, shared, 1);
    if (threadIdx.x == 0)
        make_place(call, shared);
    __syncthreads();
    const int64_t i = dv_first(), samples = history + call.length;
    if (i >= samples)
        return;
    const float value = dry_sample(call, shared[0], i - history);
    windows[blockIdx.y * samples + i] =
        finish ? dv_augment_finished(&shared[0].finish, (int32_t)i, value) : value;
}

struct room {
    int delay[DV_REFLECTIONS];
    float weight[DV_REFLECTIONS];
};

/* Makes the reflections, one in each thread. All threads of a block call it. */
static __device__ void make_room(const dv_clip_frames &call, int64_t number,
                                 const dv_augment_draws &draws, room *out)
{
    for (int i = (int)threadIdx.x; i < DV_REFLECTIONS; i += (int)blockDim.x) {
        const dv_philox_words words =
            dv_place_words(call.random, number, DV_AUGMENT_REFLECTIONS + i / 4);
        const uint32_t bits = words.word[i % 4];
        const int64_t delay = dv_augment_reflection_delay(bits, i, draws.decay);
        out->delay[i] = (int)delay;
        out->weight[i] = dv_augment_reflection_weight(bits, delay, draws.decay);
    }
    __syncthreads();
    float energy = 0.0F;
    for (int i = 0; i < DV_REFLECTIONS; i++)
        energy = __fadd_rn(energy, __fmul_rn(out->weight[i], out->weight[i]));
    const float scale = draws.reflected / sqrtf(energy);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < DV_REFLECTIONS; i += (int)blockDim.x)
        out->weight[i] *= scale;
    __syncthreads();
}

/* The sum of eight reflections from number `first` on, in the front-end's order. */
static __device__ float eight_reflections(const room &all, int first, const float *from)
{
    float sums[4];
    DV_UNROLL
    for (int i = 0; i < 4; i++) {
        const int a = first + 2 * i, b = a + 1;
        sums[i] =
            weighted_pair(all.weight[a], from[-all.delay[a]], all.weight[b], from[-all.delay[b]]);
    }
    return __fadd_rn(__fadd_rn(sums[0], sums[1]), __fadd_rn(sums[2], sums[3]));
}

/* Computes windows (places, length) from dry (places, history + length). */
__global__ void clip_rooms(dv_clip_frames call, int64_t history, const float *dry, float *windows)
{
    DV_SHARED(place, shared, 1);
    DV_SHARED(room, reflections, 1);
    if (threadIdx.x == 0)
        make_place(call, shared);
    __syncthreads();
    const bool reflected = shared[0].draws.decay > 0;
    if (reflected)
        make_room(call, call.random.place + blockIdx.y, shared[0].draws, reflections);
    const int64_t t = dv_first();
    if (t >= call.length)
        return;
    const float *from = dry + blockIdx.y * (history + call.length) + history + t;
    float value = *from;
    for (int i = 0; reflected && i < DV_REFLECTIONS; i += 8)
        value = __fadd_rn(value, eight_reflections(reflections[0], i, from));
    windows[blockIdx.y * call.length + t] =
        dv_augment_finished(&shared[0].finish, (int32_t)t, value);
}

int dv_launch_clip_windows(const dv_clip_frames *call, int64_t history, float *dry, float *windows,
                           void *stream)
{
    if (!dv_fits(history + call->length))
        return (int)cudaErrorInvalidValue;
    const unsigned places = (unsigned)call->random.places;
    const dim3 all(dv_divide_up(history + call->length, DV_THREADS), places);
    const dim3 inside(dv_divide_up(call->length, DV_THREADS), places);
    if (history == 0) {
        DV_LAUNCH(clip_windows, all, DV_THREADS, 0, stream, *call, history, true, windows);
        return dv_launch_status();
    }
    DV_LAUNCH(clip_windows, all, DV_THREADS, 0, stream, *call, history, false, dry);
    const int status = dv_launch_status();
    if (status != 0)
        return status;
    DV_LAUNCH(clip_rooms, inside, DV_THREADS, 0, stream, *call, history, dry, windows);
    return dv_launch_status();
}

/* ---- Spectra ---- */

__global__ void spectral_changes(dv_clip_frames call, int bins, float *gains, float *positions)
{
    DV_SHARED(dv_augment_draws, draws, 1);
    if (threadIdx.x == 0)
        dv_draw(call, call.random.place + blockIdx.y, draws);
    __syncthreads();
    const int bin = dv_first_int();
    if (bin >= bins)
        return;
    const float last = (float)(bins - 1);
    const int64_t out = (int64_t)blockIdx.y * bins + bin;
    if (gains != nullptr) {
        const float gain = dv_augment_bin_gain(draws[0].knots, (float)bin, last);
        gains[out] = draws[0].telephone ? gain * call.augment.telephone[bin] : gain;
    }
    if (positions != nullptr)
        positions[out] = dv_augment_warped_bin((float)bin, last, draws[0].warp);
}

int dv_launch_spectral_changes(const dv_clip_frames *call, float *gains, float *positions,
                               void *stream)
{
    const int64_t bins = call->n_fft / 2 + 1;
    if (!dv_fits(bins))
        return (int)cudaErrorInvalidValue;
    const dim3 grid(dv_divide_up(bins, DV_THREADS), (unsigned)call->random.places);
    DV_LAUNCH(spectral_changes, grid, DV_THREADS, 0, stream, *call, (int)bins, gains, positions);
    return dv_launch_status();
}

/* ---- Mixing ---- */

constexpr int64_t MOST_PAIRS = 32768; /* the most pairs that a grid has at once */

/* A block has DV_THREADS values of a pair of places, and goes on to further pairs. */
template <class T>
__global__ void mix(dv_random_places random, const float *mixing, int64_t pairs, int size,
                    T *values)
{
    DV_SHARED(float, share, 2);
    for (int64_t pair = blockIdx.y; pair < pairs; pair += gridDim.y) {
        if (threadIdx.x < 2) {
            const dv_philox_words words =
                dv_place_words(random, 2 * pair + threadIdx.x, DV_AUGMENT_SHARE_BLOCK);
            share[threadIdx.x] = dv_augment_share(words.word[3], mixing);
        }
        __syncthreads();
        T *first = values + 2 * pair * size, *second = first + size;
        for (int i = dv_first_int(); i < size; i += dv_stride_int()) {
            const float a = dv_to_float(first[i]), b = dv_to_float(second[i]);
            first[i] =
                dv_from_float<T>(__fadd_rn(__fmul_rn(share[0], a), __fmul_rn(1.0F - share[0], b)));
            second[i] =
                dv_from_float<T>(__fadd_rn(__fmul_rn(share[1], b), __fmul_rn(1.0F - share[1], a)));
        }
        __syncthreads();
    }
}

int dv_launch_mix(dv_dtype dtype, const dv_random_places *random, const float *mixing, int64_t size,
                  void *values, void *stream)
{
    const int64_t pairs = random->places / 2;
    if (!dv_fits(size))
        return (int)cudaErrorInvalidValue;
    if (pairs == 0)
        return 0;
    const dim3 grid(dv_divide_up(size, DV_THREADS),
                    (unsigned)(pairs < MOST_PAIRS ? pairs : MOST_PAIRS));
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(mix<T>, grid, DV_THREADS, 0, stream, *random, mixing, pairs, (int)size,
                            (T *)values));
    return dv_launch_status();
}
