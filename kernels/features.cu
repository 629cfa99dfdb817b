/* The front-end on the device. frontends/features defines the results. */
#include "kernels/clip_store.cuh"
#include "kernels/index.cuh"

/* ---- Frames ---- */

/* The samples of a place's window, which are samples from `start` on times a gain. */
struct cut {
    const float *samples;
    int64_t count, start;
    float gain;
    int32_t label;
    float target;
};

static __device__ cut find_cut(const dv_clip_frames &call, int64_t place)
{
    const dv_cut clip = dv_find_cut(call, place);
    cut result = {clip.samples, clip.count, clip.center - call.length / 2,
                  1.0F,         clip.label, clip.target};
    if (call.windows != nullptr) {
        result.samples = call.windows + blockIdx.y * call.length;
        result.count = call.length;
        result.start = 0;
    } else if (call.random.progress != nullptr) {
        const dv_philox_words words = dv_place_words(call.random, place, 0);
        result.start += dv_augment_shift(words.word[0], call.augment.limits.max_shift);
        result.gain = dv_augment_gain(words.word[1], call.augment.limits.max_gain);
    }
    return result;
}

/* A block has a frame of a clip. The block of the first frame also writes the targets. */
__global__ void clip_frames(dv_clip_frames call, float *frames, float *targets)
{
    DV_SHARED(cut, shared, 1);
    if (threadIdx.x == 0)
        shared[0] = find_cut(call, call.random.place + blockIdx.y);
    __syncthreads();
    const cut from = shared[0];
    const int classes = (int)call.classes, length = (int)call.length, n_fft = (int)call.n_fft;
    if (targets != nullptr && blockIdx.x == 0) {
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x)
            targets[(int64_t)blockIdx.y * classes + k] = k == from.label ? from.target : 0.0F;
    }
    const int first = (int)(blockIdx.x * call.hop) - (int)call.lead;
    float *out = frames + ((int64_t)blockIdx.y * call.frames + blockIdx.x) * n_fft;
    for (int n = (int)threadIdx.x; n < n_fft; n += (int)blockDim.x) {
        int t = first + n;
        if (call.edges == DV_EDGES_MIRRORED)
            t = (int)dv_mirrored(t, length);
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
    const dim3 grid((unsigned)call->frames, (unsigned)call->random.places);
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

/* The power at a bin of a clip's spectrum, with its change if there is one. */
static __device__ __forceinline__ float changed_power(const dv_levels &call, int64_t clip,
                                                      const float2 *spectrum, int bin)
{
    const int64_t at = clip * call.bins + bin;
    float power;
    if (call.positions == nullptr) {
        power = power_of(spectrum[bin]);
    } else {
        const float position = call.positions[at];
        const int most = (int)call.bins - 2;
        const int below = (int)position < most ? (int)position : most;
        const float low = power_of(spectrum[below]), high = power_of(spectrum[below + 1]);
        power = low + (position - (float)below) * (high - low);
    }
    return call.gains == nullptr ? power : power * call.gains[at];
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
    const int first = (int)call.first[band];
    const float2 *spectrum = spectra + ((int64_t)blockIdx.y * frames + frame) * call.bins;
    float sum = 0.0F;
    for (int bin = dv_lane(); bin < bins; bin += DV_WARP)
        sum += call.weights[start + bin] * changed_power(call, blockIdx.y, spectrum, first + bin);
    sum = dv_warp_sum(sum);
    if (dv_lane() == 0)
        levels[((int64_t)blockIdx.y * bands + band) * frames + frame] = decibel(sum);
}

constexpr int TILE = 32;

/* Transposes (frames, bins) to (bins, frames). A block of (TILE, 8) threads has a tile. A row of
   the tile has one more element, so that its columns lie in different banks. */
__global__ void bin_levels(dv_levels call, const float2 *spectra, float *levels)
{
    const int frames = (int)call.frames, bins = (int)call.bins;
    DV_SHARED(float, tile, TILE *(TILE + 1));
    const int first_bin = (int)blockIdx.x * TILE, first_frame = (int)blockIdx.y * TILE;
    const int64_t clip = (int64_t)blockIdx.z * frames * bins;
    const int x = (int)threadIdx.x;
    for (int y = (int)threadIdx.y; y < TILE; y += (int)blockDim.y) {
        const int frame = first_frame + y, bin = first_bin + x;
        if (frame < frames && bin < bins)
            tile[y * (TILE + 1) + x] = decibel(
                changed_power(call, blockIdx.z, spectra + clip + (int64_t)frame * bins, bin));
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
    DV_LAUNCH(bin_levels, grid, dim3(TILE, 8), 0, stream, *call, (const float2 *)spectra, levels);
    return dv_launch_status();
}

/* ---- Features ---- */

constexpr int CLIP_THREADS = 512; /* threads of a clip's block */

/* The threads that compute a statistic together: a block, or below it a warp. */
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

/* The mean minus `base`. `base` is one of the values, so that a constant loses no digits and has a
   deviation of 0. */
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

/* The factor for the values, 1 / (deviation + 0.01). */
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

/* The lowest level that stays. */
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

/* Computes values (rows, frames) from levels (bands, frames). Without a DCT both are the same
   memory. */
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

/* Writes the normalised features of values (rows, frames), which it overwrites. */
template <class T>
static __device__ void normalize(const dv_level_features &call, float *values, T *features)
{
    const int rows = (int)call.rows, frames = (int)call.frames;
    if (call.mean == DV_OVER_CLIP)
        subtract_mean<block_threads>(values, rows * frames);
    for (int row = dv_warp(); call.mean == DV_OVER_BAND && row < rows; row += dv_warps())
        subtract_mean<warp_threads>(values + row * frames, frames);
    __syncthreads();
    if (call.deviation == DV_OVER_BAND) {
        for (int row = dv_warp(); row < rows; row += dv_warps()) {
            const float factor = deviation_factor<warp_threads>(values + row * frames, frames);
            write_scaled<warp_threads>(values + row * frames, frames, factor,
                                       features + row * frames);
        }
        return;
    }
    float factor = 1.0F;
    if (call.deviation == DV_OVER_CLIP)
        factor = deviation_factor<block_threads>(values, rows * frames);
    write_scaled<block_threads>(values, rows * frames, factor, features);
}

/* Sets the features under a mask to 0. All threads of the block call it. */
template <class T>
static __device__ void mask(const dv_level_features &call, int number, T *features)
{
    const bool of_rows = number < DV_MASKS;
    const int rows = (int)call.rows, frames = (int)call.frames;
    const dv_philox_words words = dv_place_words(call.random, call.random.place + blockIdx.x,
                                                 DV_AUGMENT_MASK_BLOCK + number / 2);
    const int pair = 2 * (number % 2);
    int32_t first;
    const int32_t width = dv_augment_mask(words.word[pair], words.word[pair + 1],
                                          of_rows ? call.frequency_width : call.time_width,
                                          of_rows ? rows : frames, &first);
    const int across = of_rows ? frames : width; /* masked elements of a row */
    const int count = of_rows ? width * frames : rows * width;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) {
        const int row = of_rows ? first + i / across : i / across;
        const int frame = of_rows ? i % across : first + i % across;
        features[row * frames + frame] = dv_from_float<T>(0.0F);
    }
}

/* Computes the features of levels. A block has a clip. */
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
    if (call.frequency_masks == 0 && call.time_masks == 0)
        return;
    __syncthreads();
    for (int i = 0; i < call.frequency_masks; i++)
        mask(call, i, features);
    for (int i = 0; i < call.time_masks; i++)
        mask(call, DV_MASKS + i, features);
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
