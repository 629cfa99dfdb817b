/*
 * Depthwise convolutions, 3x3 and 5x5, channels last. There is one multiplication for each element
 * that is read, so the time depends on memory. Elements that several threads and blocks read come
 * from the caches after the first reading.
 *
 * A block has TILE neighbouring channels, and a thread has `Count` of them (4 if the channels allow
 * it, by accesses of 16 bytes for float and 8 bytes for 16-bit types), so that a warp reads whole
 * sectors. A thread computes a strip, STRIP positions of a row, from the same columns. A block has
 * a tile of strips.
 *
 * Bytes moved to and from DRAM, with e the size of an element, if a tile's rows stay in L2:
 *     forward   e (x + y) + e w        data   e (dy + dx) + e w
 *     weights   e (x + dy) + 8 w parts, since the partial sums are written and read again
 * From L2 a tile of 8 rows of 16 positions at stride 1 reads (8 + K - 1)(16 + K - 1) elements for
 * 128 results: 1.4 for each result with 3x3, 1.9 with 5x5. Threads of a tile share them in L1.
 */
#include "kernels/depthwise.h"

#include "kernels/index.cuh"

constexpr int TILE = 32;        /* channels of a block */
constexpr int STRIP = 4;        /* positions of a thread, in a row */
constexpr int TILE_STRIPS = 4;  /* strips of a block side by side */
constexpr int MAX_PARTS = 128;  /* the most partial sums of a weight */
constexpr int PART_STRIPS = 32; /* strips of a part, unless that makes over MAX_PARTS parts */

/* dv_depthwise in ints. The launchers have checked that an int can hold all indices. */
struct geometry {
    int images, height, width, channels; /* sizes of x */
    int out_height, out_width;           /* sizes of y */
    int row_stride;
    int padding[2];
};

static geometry geometry_of(const dv_depthwise &shape)
{
    return {(int)shape.images,     (int)shape.height,
            (int)shape.width,      (int)shape.channels,
            (int)shape.out_height, (int)shape.out_width,
            (int)shape.stride[0],  {(int)shape.padding[0], (int)shape.padding[1]}};
}

/* Threads of a block along the channels of a tile, with `Count` channels in each. */
template <int Count> constexpr int LANES = TILE / Count;
template <int Count> constexpr int STRIPS = DV_THREADS / LANES<Count>;

/* ---- Weights in shared memory: (taps, TILE) ---- */

template <class T>
static __device__ void load_weights(const T *w, int channels, int taps, float *weights)
{
    const int first = (int)blockIdx.y * TILE;
    const int count = min(TILE, channels - first) * taps;
    for (int i = (int)threadIdx.x; i < count; i += DV_THREADS)
        weights[i % taps * TILE + i / taps] = dv_to_float(w[first * taps + i]);
    __syncthreads();
}

/* Reads the weights of one row of taps for the channels of a thread. */
template <int Kernel, int Count>
static __device__ __forceinline__ void row_weights(const float *weights, int row, int lane,
                                                   float (&into)[Kernel][Count])
{
    DV_UNROLL
    for (int tap = 0; tap < Kernel; tap++) {
        DV_UNROLL
        for (int i = 0; i < Count; i++)
            into[tap][i] = weights[(row * Kernel + tap) * TILE + lane * Count + i];
    }
}

/* ---- A thread's strip ---- */

struct strip {
    int lane, channel; /* the thread's number along the channels, and its first channel */
    int image, row, column;
    bool inside;
};

/* The strip of this thread in a map of `rows` rows with `strips` strips each. blockIdx.x counts
   tiles of STRIPS / TILE_STRIPS rows with TILE_STRIPS strips, and blockIdx.y tiles of channels. */
template <int Count> static __device__ strip strip_of_tile(const geometry &g, int rows, int strips)
{
    constexpr int tile_rows = STRIPS<Count> / TILE_STRIPS;
    const int across = (strips + TILE_STRIPS - 1) / TILE_STRIPS;
    const int down = (rows + tile_rows - 1) / tile_rows;
    const int tile = (int)blockIdx.x, place = (int)threadIdx.x / LANES<Count>;
    strip s;
    s.lane = (int)threadIdx.x % LANES<Count>;
    s.channel = (int)blockIdx.y * TILE + s.lane * Count;
    s.column = (tile % across * TILE_STRIPS + place % TILE_STRIPS) * STRIP;
    s.row = tile / across % down * tile_rows + place / TILE_STRIPS;
    s.image = tile / across / down;
    s.inside = s.channel < g.channels && s.row < rows && s.column < strips * STRIP;
    return s;
}

/* Loads the elements of a thread's channels at a column of a row, or zeros outside the row. */
template <int Count, class T>
static __device__ __forceinline__ void load_column(const T *row, int column, int columns,
                                                   int channels, float (&into)[Count])
{
    if (column >= 0 && column < columns) {
        dv_load(row + column * channels, into);
        return;
    }
    DV_UNROLL
    for (int i = 0; i < Count; i++)
        into[i] = 0.0F;
}

/* Writes the columns of the strip that lie in the row. */
template <int Count, class T>
static __device__ __forceinline__ void store_strip(T *row, int column, int columns, int channels,
                                                   const float (&sums)[STRIP][Count])
{
    DV_UNROLL
    for (int j = 0; j < STRIP; j++) {
        if (column + j >= 0 && column + j < columns)
            dv_store(row + (column + j) * channels, sums[j]);
    }
}

/* ---- Forward ---- */

/* Adds a row of x to the sums. Position j of the strip takes tap k from column j Stride + k of the
   columns that the strip reads. */
template <class T, int Kernel, int Stride, int Count>
static __device__ __forceinline__ void add_row(const T *row, const geometry &g, int column,
                                               const float (&w)[Kernel][Count],
                                               float (&sums)[STRIP][Count])
{
    DV_UNROLL
    for (int t = 0; t < (STRIP - 1) * Stride + Kernel; t++) {
        float x[Count];
        load_column(row, column + t, g.width, g.channels, x);
        DV_UNROLL
        for (int j = 0; j < STRIP; j++) {
            const int tap = t - j * Stride;
            if (tap >= 0 && tap < Kernel) {
                DV_UNROLL
                for (int i = 0; i < Count; i++)
                    sums[j][i] += x[i] * w[tap][i];
            }
        }
    }
}

/* Computes a thread's strip of y. The sums begin with the bias and take one row of taps after the
   other. */
template <class T, int Kernel, int Stride, int Count>
static __global__ void __launch_bounds__(DV_THREADS)
    depthwise(geometry g, const T *x, const T *w, const float *bias, T *y)
{
    DV_SHARED(float, weights, Kernel *Kernel *TILE);
    load_weights(w, g.channels, Kernel * Kernel, weights);
    const strip s = strip_of_tile<Count>(g, g.out_height, (g.out_width + STRIP - 1) / STRIP);
    if (!s.inside)
        return;
    float sums[STRIP][Count];
    DV_UNROLL
    for (int j = 0; j < STRIP; j++) {
        DV_UNROLL
        for (int i = 0; i < Count; i++)
            sums[j][i] = bias != nullptr ? bias[s.channel + i] : 0.0F;
    }
    for (int tap = 0; tap < Kernel; tap++) {
        const int row = s.row * g.row_stride - g.padding[0] + tap;
        if (row < 0 || row >= g.height)
            continue;
        float taps[Kernel][Count];
        row_weights(weights, tap, s.lane, taps);
        add_row<T, Kernel, Stride>(x + (s.image * g.height + row) * g.width * g.channels +
                                       s.channel,
                                   g, s.column * Stride - g.padding[1], taps, sums);
    }
    store_strip(y + (s.image * g.out_height + s.row) * g.out_width * g.channels + s.channel,
                s.column, g.out_width, g.channels, sums);
}

/* ---- Gradient of the input ---- */

/* Adds a row of dy to the sums. Strips begin where column + padding is a multiple of the stride. So
   in every strip, position j takes tap j - u Stride from the gradient's column first + u. */
template <class T, int Kernel, int Stride, int Count>
static __device__ __forceinline__ void add_gradient_row(const T *row, const geometry &g, int first,
                                                        const float (&w)[Kernel][Count],
                                                        float (&sums)[STRIP][Count])
{
    DV_UNROLL
    for (int u = -((Kernel - 1) / Stride); u <= (STRIP - 1) / Stride; u++) {
        float dy[Count];
        load_column(row, first + u, g.out_width, g.channels, dy);
        DV_UNROLL
        for (int j = 0; j < STRIP; j++) {
            const int tap = j - u * Stride;
            if (tap >= 0 && tap < Kernel) {
                DV_UNROLL
                for (int i = 0; i < Count; i++)
                    sums[j][i] += dy[i] * w[tap][i];
            }
        }
    }
}

/* The number of columns by which the first strip of a gradient begins before the row. */
static __host__ __device__ int lead(const geometry &g, int stride)
{
    return g.padding[1] % stride;
}

/* Computes a thread's strip of dx from the rows of dy whose taps reach its row. The strips begin
   `early` columns before the row, as add_gradient_row needs it. */
template <class T, int Kernel, int Stride, int Count>
static __global__ void __launch_bounds__(DV_THREADS)
    depthwise_data(geometry g, const T *dy, const T *w, T *dx)
{
    DV_SHARED(float, weights, Kernel *Kernel *TILE);
    load_weights(w, g.channels, Kernel * Kernel, weights);
    const int early = lead(g, Stride);
    const strip s = strip_of_tile<Count>(g, g.height, (g.width + early + STRIP - 1) / STRIP);
    if (!s.inside)
        return;
    const int column = s.column - early;
    float sums[STRIP][Count] = {};
    for (int tap = 0; tap < Kernel; tap++) {
        const int place = s.row + g.padding[0] - tap, row = place / g.row_stride;
        if (place < 0 || place % g.row_stride != 0 || row >= g.out_height)
            continue;
        float taps[Kernel][Count];
        row_weights(weights, tap, s.lane, taps);
        add_gradient_row<T, Kernel, Stride>(
            dy + (s.image * g.out_height + row) * g.out_width * g.channels + s.channel, g,
            (column + g.padding[1]) / Stride, taps, sums);
    }
    store_strip(dx + (s.image * g.height + s.row) * g.width * g.channels + s.channel, column,
                g.width, g.channels, sums);
}

/* ---- Gradient of the weights ---- */

/* Adds a strip to the thread's sums of all taps. */
template <class T, int Kernel, int Stride, int Count>
static __device__ __forceinline__ void add_strip(const geometry &g, const T *x, const T *dy,
                                                 int image, int row, int column,
                                                 float (&sums)[Kernel][Kernel][Count])
{
    const T *gradients = dy + (image * g.out_height + row) * g.out_width * g.channels;
    float gradient[STRIP][Count];
    DV_UNROLL
    for (int j = 0; j < STRIP; j++)
        load_column(gradients, column + j, g.out_width, g.channels, gradient[j]);
    DV_UNROLL
    for (int tap_row = 0; tap_row < Kernel; tap_row++) {
        const int from = row * g.row_stride - g.padding[0] + tap_row;
        if (from < 0 || from >= g.height)
            continue;
        const T *values = x + (image * g.height + from) * g.width * g.channels;
        DV_UNROLL
        for (int t = 0; t < (STRIP - 1) * Stride + Kernel; t++) {
            float value[Count];
            load_column(values, column * Stride - g.padding[1] + t, g.width, g.channels, value);
            DV_UNROLL
            for (int j = 0; j < STRIP; j++) {
                const int tap = t - j * Stride;
                if (tap >= 0 && tap < Kernel) {
                    DV_UNROLL
                    for (int i = 0; i < Count; i++)
                        sums[tap_row][tap][i] += value[i] * gradient[j][i];
                }
            }
        }
    }
}

/* Adds up the sums of all threads of a channel for one row of taps, in the order of the threads.
   shared (STRIPS, Kernel, TILE), into (channels, Kernel, Kernel). */
template <int Kernel, int Count>
static __device__ void join_row(const geometry &g, int tap_row, const float (&sums)[Kernel][Count],
                                float *shared, float *into)
{
    const int lane = (int)threadIdx.x % LANES<Count>, place = (int)threadIdx.x / LANES<Count>;
    DV_UNROLL
    for (int tap = 0; tap < Kernel; tap++) {
        DV_UNROLL
        for (int i = 0; i < Count; i++)
            shared[(place * Kernel + tap) * TILE + lane * Count + i] = sums[tap][i];
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < Kernel * TILE; i += DV_THREADS) {
        const int tap = i / TILE, channel = (int)blockIdx.y * TILE + i % TILE;
        float total = 0.0F;
        for (int k = 0; k < STRIPS<Count>; k++)
            total += shared[k * Kernel * TILE + i];
        if (channel < g.channels)
            into[(channel * Kernel + tap_row) * Kernel + tap] = total;
    }
    __syncthreads(); /* the next row of taps uses the same memory */
}

/* Computes partial (gridDim.x, channels, Kernel, Kernel). Each part sums its share of the strips of
   y. */
template <class T, int Kernel, int Stride, int Count>
static __global__ void __launch_bounds__(DV_THREADS)
    depthwise_weights(geometry g, const T *x, const T *dy, float *partial)
{
    DV_SHARED(float, shared, STRIPS<Count> *Kernel *TILE);
    const int strips = (g.out_width + STRIP - 1) / STRIP;
    const int all = g.images * g.out_height * strips;
    const int share = (all + (int)gridDim.x - 1) / (int)gridDim.x;
    const int end = min(all, ((int)blockIdx.x + 1) * share);
    const int lane = (int)threadIdx.x % LANES<Count>;
    const int channel = (int)blockIdx.y * TILE + lane * Count;
    float sums[Kernel][Kernel][Count] = {};
    for (int i = (int)blockIdx.x * share + (int)threadIdx.x / LANES<Count>;
         channel < g.channels && i < end; i += STRIPS<Count>)
        add_strip<T, Kernel, Stride>(g, x + channel, dy + channel, i / strips / g.out_height,
                                     i / strips % g.out_height, i % strips * STRIP, sums);
    float *into = partial + (int)blockIdx.x * g.channels * Kernel * Kernel;
    DV_UNROLL
    for (int tap_row = 0; tap_row < Kernel; tap_row++)
        join_row(g, tap_row, sums[tap_row], shared, into);
}

/* dw[i] = sum over the parts */
static __global__ void join_parts(const float *partial, float *dw, int count, int parts)
{
    const int i = dv_first_int();
    if (i >= count)
        return;
    float sum = 0.0F;
    for (int part = 0; part < parts; part++)
        sum += partial[part * count + i];
    dw[i] = sum;
}

/* ---- Launchers ---- */

static int64_t strips_of(int64_t columns)
{
    return (columns + STRIP - 1) / STRIP;
}

/* The number of parts depends on the shape alone, so that the sums are the same on every device. */
static int parts_of(const dv_depthwise &shape)
{
    const int64_t all = shape.images * shape.out_height * strips_of(shape.out_width);
    const int64_t parts = (all + PART_STRIPS - 1) / PART_STRIPS;
    return parts < MAX_PARTS ? (int)parts : MAX_PARTS;
}

int64_t dv_depthwise_scratch(const dv_depthwise *shape)
{
    const int parts = parts_of(*shape);
    const int64_t weights = shape->channels * shape->kernel * shape->kernel;
    return parts > 1 ? parts * weights * (int64_t)sizeof(float) : 0;
}

static bool is_stride(int64_t stride)
{
    return stride == 1 || stride == 2;
}

bool dv_depthwise_supported(const dv_depthwise *shape)
{
    const int64_t reads = shape->images * shape->height * (shape->width + 2) * shape->channels;
    const int64_t writes = shape->images * shape->out_height * shape->out_width * shape->channels;
    return (shape->kernel == 3 || shape->kernel == 5) && is_stride(shape->stride[0]) &&
           is_stride(shape->stride[1]) && shape->padding[0] < 1024 && shape->padding[1] < 1024 &&
           dv_fits(reads) && dv_fits(writes) && dv_fits(dv_depthwise_scratch(shape)) &&
           shape->channels <= (int64_t)TILE * 65535;
}

/* Blocks for strip_of_tile in maps of rows by strips, with `count` channels in a thread. */
static dim3 tiles(const dv_depthwise &shape, int64_t rows, int64_t strips, int count)
{
    const int64_t tile_rows = DV_THREADS * count / TILE / TILE_STRIPS;
    const int64_t each = (int64_t)dv_divide_up(rows, tile_rows) * dv_divide_up(strips, TILE_STRIPS);
    return dim3((unsigned)(shape.images * each), dv_divide_up(shape.channels, TILE));
}

/* Runs the statements with KERNEL, STRIDE (of the columns) and COUNT as constants. COUNT is `wide`
   if the channels are a multiple of it, else 1. */
#define WITH_COUNT(shape, wide, ...)                                                               \
    do {                                                                                           \
        if ((shape)->channels % (wide) == 0) {                                                     \
            constexpr int COUNT = (wide);                                                          \
            __VA_ARGS__;                                                                           \
        } else {                                                                                   \
            constexpr int COUNT = 1;                                                               \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    } while (0)
#define WITH_STRIDE(shape, wide, ...)                                                              \
    do {                                                                                           \
        if ((shape)->stride[1] == 1) {                                                             \
            constexpr int STRIDE = 1;                                                              \
            WITH_COUNT(shape, wide, __VA_ARGS__);                                                  \
        } else {                                                                                   \
            constexpr int STRIDE = 2;                                                              \
            WITH_COUNT(shape, wide, __VA_ARGS__);                                                  \
        }                                                                                          \
    } while (0)
#define WITH_CONSTANTS(shape, wide, ...)                                                           \
    do {                                                                                           \
        if ((shape)->kernel == 3) {                                                                \
            constexpr int KERNEL = 3;                                                              \
            WITH_STRIDE(shape, wide, __VA_ARGS__);                                                 \
        } else {                                                                                   \
            constexpr int KERNEL = 5;                                                              \
            WITH_STRIDE(shape, wide, __VA_ARGS__);                                                 \
        }                                                                                          \
    } while (0)

int dv_launch_depthwise(dv_dtype dtype, const dv_depthwise *shape, const void *x, const void *w,
                        const float *bias, void *y, void *stream)
{
    if (!dv_depthwise_supported(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    const geometry g = geometry_of(*shape);
    DV_WITH_DTYPE(dtype, T,
                  WITH_CONSTANTS(shape, 4,
                                 DV_LAUNCH((depthwise<T, KERNEL, STRIDE, COUNT>),
                                           tiles(*shape, shape->out_height,
                                                 strips_of(shape->out_width), COUNT),
                                           DV_THREADS, 0, stream, g, static_cast<const T *>(x),
                                           static_cast<const T *>(w), bias, static_cast<T *>(y))));
    return dv_launch_status();
}

int dv_launch_depthwise_data(dv_dtype dtype, const dv_depthwise *shape, const void *dy,
                             const void *w, void *dx, void *stream)
{
    if (!dv_depthwise_supported(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    const geometry g = geometry_of(*shape);
    const int64_t strips = strips_of(shape->width + lead(g, (int)shape->stride[1]));
    DV_WITH_DTYPE(dtype, T,
                  WITH_CONSTANTS(shape, 4,
                                 DV_LAUNCH((depthwise_data<T, KERNEL, STRIDE, COUNT>),
                                           tiles(*shape, shape->height, strips, COUNT), DV_THREADS,
                                           0, stream, g, static_cast<const T *>(dy),
                                           static_cast<const T *>(w), static_cast<T *>(dx))));
    return dv_launch_status();
}

/* A thread has only two channels, since it holds the sums of all taps in registers. */
int dv_launch_depthwise_weights(dv_dtype dtype, const dv_depthwise *shape, const void *x,
                                const void *dy, float *dw, void *scratch, void *stream)
{
    if (!dv_depthwise_supported(shape))
        return static_cast<int>(cudaErrorInvalidValue);
    const geometry g = geometry_of(*shape);
    const int parts = parts_of(*shape);
    const dim3 grid((unsigned)parts, dv_divide_up(shape->channels, TILE));
    float *partial = parts > 1 ? static_cast<float *>(scratch) : dw;
    DV_WITH_DTYPE(dtype, T,
                  WITH_CONSTANTS(shape, 2,
                                 DV_LAUNCH((depthwise_weights<T, KERNEL, STRIDE, COUNT>), grid,
                                           DV_THREADS, 0, stream, g, static_cast<const T *>(x),
                                           static_cast<const T *>(dy), partial)));
    if (parts > 1) {
        const int weights = (int)(shape->channels * shape->kernel * shape->kernel);
        DV_LAUNCH(join_parts, dv_divide_up(weights, DV_THREADS), DV_THREADS, 0, stream, partial, dw,
                  weights, parts);
    }
    return dv_launch_status();
}
