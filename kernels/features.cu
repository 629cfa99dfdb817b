/* The device front-end. The definition of what is computed: frontends/features. */
#include "kernels/features.h"

#include "kernels/augment_math.h"
#include "kernels/index.cuh"
#include "kernels/philox.cuh"

/* ---- Frames ---- */

/* What a place in the batch is made of. */
struct cut {
    const float *samples; /* of the clip */
    int64_t count, start; /* of them; where the window begins */
    float gain;
    int32_t label;
    float target;
};

static __device__ cut find_cut(const dv_clip_frames &call, int64_t place)
{
    uint64_t step = 0;
    int64_t at = call.first + place;
    if (call.progress != nullptr) {
        step = call.always_first ? 0 : call.progress->step;
        at = (int64_t)(step % call.steps_per_epoch) * call.count + place;
    }
    at = at < call.order_count ? at : call.order_count - 1;
    const dv_stored_clip clip = call.clips[call.order[at]];
    cut result;
    result.samples = call.samples + clip.offset;
    result.count = clip.count;
    result.start = clip.center - call.length / 2;
    result.gain = 1.0F;
    result.label = clip.label;
    result.target = 1.0F;
    if (call.progress != nullptr) {
        result.target = clip.weight;
        const dv_philox stream = {call.seed, step, call.use};
        const dv_philox_words words = dv_philox_at(stream, (uint32_t)place);
        result.start += dv_augment_shift(words.word[0], call.max_shift);
        result.gain = dv_augment_gain(words.word[1], call.max_gain);
    }
    return result;
}

/* A block has a frame of a clip; the clip's first one writes its target. */
__global__ void clip_frames(dv_clip_frames call, float *frames, float *targets)
{
    DV_SHARED(cut, shared, 1);
    if (threadIdx.x == 0)
        shared[0] = find_cut(call, call.place + blockIdx.y);
    __syncthreads();
    const cut from = shared[0];
    const int classes = (int)call.classes, length = (int)call.length, n_fft = (int)call.n_fft;
    if (targets != nullptr && blockIdx.x == 0) {
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x)
            targets[(int64_t)blockIdx.y * classes + k] = k == from.label ? from.target : 0.0F;
    }
    const int first = (int)(blockIdx.x * call.hop) - n_fft / 2;
    float *out = frames + ((int64_t)blockIdx.y * call.frames + blockIdx.x) * n_fft;
    for (int n = (int)threadIdx.x; n < n_fft; n += (int)blockDim.x) {
        const int t = first + n;
        const int64_t i = from.start + t;
        float sample = 0.0F;
        if (t >= 0 && t < length && i >= 0 && i < from.count)
            sample = __fmul_rn(from.samples[i], from.gain);
        out[n] = __fmul_rn(sample, call.window[n]);
    }
}

int dv_launch_clip_frames(const dv_clip_frames *call, float *frames, float *targets, void *stream)
{
    if (!dv_fits(call->frames * call->hop + call->n_fft) || !dv_fits(call->length))
        return (int)cudaErrorInvalidValue;
    const dim3 grid((unsigned)call->frames, (unsigned)call->places);
    DV_LAUNCH(clip_frames, grid, DV_THREADS, 0, stream, *call, frames, targets);
    return dv_launch_status();
}

/* ---- Decibels ---- */

static __device__ __forceinline__ float power_of(float2 value)
{
    return value.x * value.x + value.y * value.y;
}

static __device__ __forceinline__ float decibel(float power)
{
    return 10.0F * log10f(power > 1e-10F ? power : 1e-10F);
}

/* A warp has a band of a frame. */
__global__ void band_levels(dv_levels call, const float2 *spectra, float *levels)
{
    const int frames = (int)call.frames, bands = (int)call.bands;
    const int item = (int)blockIdx.x * dv_warps() + dv_warp();
    if (item >= frames * bands)
        return;
    const int frame = item / bands, band = item % bands;
    const int64_t start = call.start[band];
    const int bins = (int)(call.start[band + 1] - start);
    const float2 *spectrum =
        spectra + ((int64_t)blockIdx.y * frames + frame) * call.bins + call.first[band];
    float sum = 0.0F;
    for (int bin = dv_lane(); bin < bins; bin += DV_WARP)
        sum += call.weights[start + bin] * power_of(spectrum[bin]);
    sum = dv_warp_sum(sum);
    if (dv_lane() == 0)
        levels[((int64_t)blockIdx.y * bands + band) * frames + frame] = decibel(sum);
}

constexpr int TILE = 32;

/* (frames, bins) -> (bins, frames), a tile for a block of (TILE, 8) threads; a row of the tile has
   one element more, so that its columns lie in different banks. */
__global__ void bin_levels(int frames, int bins, const float2 *spectra, float *levels)
{
    DV_SHARED(float, tile, TILE *(TILE + 1));
    const int first_bin = (int)blockIdx.x * TILE, first_frame = (int)blockIdx.y * TILE;
    const int64_t clip = (int64_t)blockIdx.z * frames * bins;
    const int x = (int)threadIdx.x;
    for (int y = (int)threadIdx.y; y < TILE; y += (int)blockDim.y) {
        const int frame = first_frame + y, bin = first_bin + x;
        if (frame < frames && bin < bins)
            tile[y * (TILE + 1) + x] =
                decibel(power_of(spectra[clip + (int64_t)frame * bins + bin]));
    }
    __syncthreads();
    for (int y = (int)threadIdx.y; y < TILE; y += (int)blockDim.y) {
        const int frame = first_frame + x, bin = first_bin + y;
        if (frame < frames && bin < bins)
            levels[clip + (int64_t)bin * frames + frame] = tile[x * (TILE + 1) + y];
    }
}

int dv_launch_levels(const dv_levels *call, const void *spectra, float *levels, void *stream)
{
    if (!dv_fits(call->frames * call->bins) || !dv_fits(call->frames * call->bands))
        return (int)cudaErrorInvalidValue;
    if (call->bands > 0) {
        const dim3 grid(dv_divide_up(call->frames * call->bands, DV_THREADS / DV_WARP),
                        (unsigned)call->places);
        DV_LAUNCH(band_levels, grid, DV_THREADS, 0, stream, *call, (const float2 *)spectra, levels);
        return dv_launch_status();
    }
    const dim3 grid(dv_divide_up(call->bins, TILE), dv_divide_up(call->frames, TILE),
                    (unsigned)call->places);
    DV_LAUNCH(bin_levels, grid, dim3(TILE, 8), 0, stream, (int)call->frames, (int)call->bins,
              (const float2 *)spectra, levels);
    return dv_launch_status();
}

/* ---- Features ---- */

constexpr int CLIP_THREADS = 512; /* of the block that a clip has */

/* The threads that take a statistic of some values together. */
struct block_threads {
    static __device__ __forceinline__ int first()
    {
        return (int)threadIdx.x;
    }
    static __device__ __forceinline__ int stride()
    {
        return (int)blockDim.x;
    }
    static __device__ __forceinline__ float sum(float value)
    {
        return dv_block_sum(value);
    }
};

struct warp_threads {
    static __device__ __forceinline__ int first()
    {
        return dv_lane();
    }
    static __device__ __forceinline__ int stride()
    {
        return DV_WARP;
    }
    static __device__ __forceinline__ float sum(float value)
    {
        return dv_warp_sum(value);
    }
};

/* The mean, less `base`: one of the values, so that a constant loses no digits and its deviation
   is 0. */
template <class Threads>
static __device__ float mean_above(float base, const float *values, int count)
{
    float sum = 0.0F;
    for (int i = Threads::first(); i < count; i += Threads::stride())
        sum += values[i] - base;
    return Threads::sum(sum) / (float)count;
}

template <class Threads> static __device__ void subtract_mean(float *values, int count)
{
    const float base = values[0];
    const float mean = mean_above<Threads>(base, values, count);
    for (int i = Threads::first(); i < count; i += Threads::stride())
        values[i] = (values[i] - base) - mean;
}

/* What the values are to be multiplied by. */
template <class Threads> static __device__ float deviation_factor(const float *values, int count)
{
    const float base = values[0];
    const float mean = mean_above<Threads>(base, values, count);
    float squares = 0.0F;
    for (int i = Threads::first(); i < count; i += Threads::stride()) {
        const float difference = (values[i] - base) - mean;
        squares += difference * difference;
    }
    return 1.0F / (sqrtf(Threads::sum(squares) / (float)count) + 0.01F);
}

template <class Threads, class T>
static __device__ void write_scaled(const float *values, int count, float factor, T *out)
{
    for (int i = Threads::first(); i < count; i += Threads::stride())
        out[i] = dv_from_float<T>(values[i] * factor);
}

/* The least level that stays. */
static __device__ float find_floor(const float *levels, int count, float top_db)
{
    float largest = dv_maximum::neutral;
    if (top_db <= 0.0F)
        return largest;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        largest = dv_maximum()(largest, levels[i]);
    return dv_block_maximum(largest) - top_db;
}

static __device__ __forceinline__ float at_least(float level, float floor)
{
    return level > floor ? level : floor;
}

/* values (rows, frames) from levels (bands, frames); without a DCT they are one. */
static __device__ void make_values(const dv_level_features &call, float floor, const float *levels,
                                   float *values)
{
    const int bands = (int)call.bands, frames = (int)call.frames;
    const int count = (int)call.rows * frames;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) {
        if (call.dct == nullptr) {
            values[i] = at_least(levels[i], floor);
            continue;
        }
        const float *weights = call.dct + i / frames * bands;
        const float *column = levels + i % frames;
        float sum = 0.0F;
        for (int band = 0; band < bands; band++)
            sum += weights[band] * at_least(column[band * frames], floor);
        values[i] = sum;
    }
}

/* values (rows, frames) */
template <class T>
static __device__ void normalize(const dv_level_features &call, float *values, T *features)
{
    const int rows = (int)call.rows, frames = (int)call.frames;
    if (call.mean == DV_OF_CLIP)
        subtract_mean<block_threads>(values, rows * frames);
    for (int row = dv_warp(); call.mean == DV_OF_ROW && row < rows; row += dv_warps())
        subtract_mean<warp_threads>(values + row * frames, frames);
    __syncthreads();
    if (call.deviation == DV_OF_ROW) {
        for (int row = dv_warp(); row < rows; row += dv_warps()) {
            const float factor = deviation_factor<warp_threads>(values + row * frames, frames);
            write_scaled<warp_threads>(values + row * frames, frames, factor,
                                       features + row * frames);
        }
        return;
    }
    float factor = 1.0F;
    if (call.deviation == DV_OF_CLIP)
        factor = deviation_factor<block_threads>(values, rows * frames);
    write_scaled<block_threads>(values, rows * frames, factor, features);
}

/* A block has a clip. */
template <class T>
__global__ void __launch_bounds__(CLIP_THREADS)
    level_features(dv_level_features call, float *levels, float *work, T *features)
{
    const int count = (int)(call.bands * call.frames);
    levels += (int64_t)blockIdx.x * count;
    features += (int64_t)blockIdx.x * call.rows * call.frames;
    float *values = call.dct == nullptr ? levels : work + blockIdx.x * call.rows * call.frames;
    make_values(call, find_floor(levels, count, call.top_db), levels, values);
    __syncthreads();
    normalize(call, values, features);
}

int dv_launch_level_features(dv_dtype dtype, const dv_level_features *call, float *levels,
                             float *work, void *features, void *stream)
{
    if (!dv_fits(call->bands * call->frames) || !dv_fits(call->rows * call->frames))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(level_features<T>, (unsigned)call->places, CLIP_THREADS, 0, stream,
                            *call, levels, work, (T *)features));
    return dv_launch_status();
}
