/*
 * A warp computes ROWS neighbouring rows (queries, and in backward also keys). It goes through the
 * other side in tiles with a row for each lane, which the block loads into shared memory. Logits
 * and their gradients are never in global memory. Backward computes them again, once for the
 * queries and once for the keys.
 */
#include "kernels/attention.h"

#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"

constexpr int ROWS = 4; /* rows of a warp */
constexpr int MOST_WARPS = 8;
constexpr int VECTOR = 4; /* floats of one access of shared memory */

/* The most bytes of dynamic shared memory of a launch without an opt-in. */
constexpr int SHARED = 48 * 1024 - 256;

struct head_sizes {
    int steps, channels, heads;
    int width; /* channels of a head */
    int pitch; /* floats of its rows in shared memory, an odd number of vectors, so that
                  neighbouring lanes read from different banks */
    int lanes; /* lanes that share the channels of a row, a power of two up to a warp */
    float scale;
};

/* A head in memory, from its first channel. */
template <class T> struct head_rows {
    T *first;
    int stride;
};

/* ---- Pieces ---- */

/* Loads rows [start, start + count) of a head as floats, with zeros beyond the last step and
   channel. */
template <class T>
static __device__ __forceinline__ void load_rows(const head_sizes &z, head_rows<const T> from,
                                                 int start, int count, float *into)
{
    for (int i = (int)threadIdx.x; i < count * z.pitch; i += (int)blockDim.x) {
        int row = start + i / z.pitch, channel = i % z.pitch;
        bool inside = row < z.steps && channel < z.width;
        into[i] = inside ? dv_to_float(from.first[row * from.stride + channel]) : 0.0F;
    }
}

/* out[r] = row r of `own` times the row `other`. */
static __device__ __forceinline__ void multiply_rows(const head_sizes &z, const float *own,
                                                     const float *other, float (&out)[ROWS])
{
    for (int r = 0; r < ROWS; r++)
        out[r] = 0.0F;
    for (int c = 0; c < z.width; c += VECTOR) {
        float b[VECTOR];
        dv_load<VECTOR>(other + c, b);
        DV_UNROLL
        for (int r = 0; r < ROWS; r++) {
            float a[VECTOR];
            dv_load<VECTOR>(own + r * z.pitch + c, a);
            DV_UNROLL
            for (int i = 0; i < VECTOR; i++)
                out[r] += a[i] * b[i];
        }
    }
}

/* Adds the weighted rows of a tile to sums[k][r], which is channel 32 k + lane of row r. If several
   lanes share a channel, each has the sum over its part of the tile's rows. weights (32, ROWS)
   belong to the warp. */
template <int Chunks>
static __device__ __forceinline__ void add_rows(const head_sizes &z, const float *weights,
                                                const float *tile, int count,
                                                float (&sums)[Chunks][ROWS])
{
    int channel = dv_lane() % z.lanes;
    for (int j = dv_lane() / z.lanes; j < count; j += DV_WARP / z.lanes) {
        float weight[ROWS];
        dv_load<ROWS>(weights + j * ROWS, weight);
        DV_UNROLL
        for (int k = 0; k < Chunks; k++) {
            int c = k * DV_WARP + channel;
            float value = c < z.width ? tile[j * z.pitch + c] : 0.0F;
            DV_UNROLL
            for (int r = 0; r < ROWS; r++)
                sums[k][r] += weight[r] * value;
        }
    }
}

/* Stores the warp's rows from `start` on, the sums times the factors. */
template <class T, int Chunks>
static __device__ __forceinline__ void store_rows(const head_sizes &z, head_rows<T> into, int start,
                                                  const float (&sums)[Chunks][ROWS],
                                                  const float (&factors)[ROWS])
{
    DV_UNROLL
    for (int k = 0; k < Chunks; k++) {
        int channel = k * DV_WARP + dv_lane() % z.lanes;
        DV_UNROLL
        for (int r = 0; r < ROWS; r++) {
            float sum = sums[k][r];
            for (int distance = z.lanes; distance < DV_WARP; distance *= 2)
                sum += __shfl_xor_sync(DV_ALL_LANES, sum, distance);
            if (dv_lane() < z.lanes && channel < z.width && start + r < z.steps)
                into.first[(start + r) * into.stride + channel] =
                    dv_from_float<T>(sum * factors[r]);
        }
    }
}

/* Queries (part 0), keys (1) or values (2) of a head. Heads are numbered over all samples. */
template <class T>
static __device__ __forceinline__ head_rows<T> part_of(const head_sizes &z, T *x, int number,
                                                       int part)
{
    int stride = 3 * z.channels;
    return {x + number / z.heads * z.steps * stride + part * z.channels +
                number % z.heads * z.width,
            stride};
}

template <class T>
static __device__ __forceinline__ head_rows<T> head_of(const head_sizes &z, T *y, int number)
{
    return {y + number / z.heads * z.steps * z.channels + number % z.heads * z.width, z.channels};
}

static __device__ __forceinline__ int rows_of_block()
{
    return ROWS * dv_warps();
}

static __device__ __forceinline__ int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* ---- Forward: a block has some queries of a head ---- */

/* The state of a row's softmax. Exponentials are relative to `largest`, and earlier sums shrink
   when it grows (Milakov and Gimelshein 2018). `sum` is the lane's part. */
struct softmax_row {
    float largest, sum;
};

/* Takes the lane's key into the softmax and computes its p. Returns the factor for earlier sums. */
static __device__ __forceinline__ float advance(softmax_row &row, float logit, bool inside,
                                                float *p)
{
    float largest =
        dv_maximum()(row.largest, dv_warp_maximum(inside ? logit : dv_maximum::neutral));
    float factor = dv_exp_negative(row.largest - largest);
    *p = inside ? dv_exp_negative(logit - largest) : 0.0F;
    row.sum = row.sum * factor + *p;
    row.largest = largest;
    return factor;
}

/* Computes y for the block's queries, a tile of keys and values at a time. Each tile updates the
   softmax. The statistics of each query are kept if backward wants them. */
template <class T, int Chunks>
__global__ void attention(head_sizes z, int blocks, const T *x, T *y, float *statistics)
{
    DV_DYNAMIC_SHARED(float, queries);
    float *keys = queries + rows_of_block() * z.pitch, *values = keys + DV_WARP * z.pitch;
    float *weights = values + DV_WARP * z.pitch + dv_warp() * DV_WARP * ROWS;
    int number = (int)blockIdx.x / blocks, block = (int)blockIdx.x % blocks;
    int start = block * rows_of_block() + dv_warp() * ROWS; /* the warp's first row */
    const float *own = queries + dv_warp() * ROWS * z.pitch;
    float sums[Chunks][ROWS] = {};
    softmax_row rows[ROWS];
    for (int r = 0; r < ROWS; r++)
        rows[r] = {dv_maximum::neutral, 0.0F};
    load_rows(z, part_of(z, x, number, 0), block * rows_of_block(), rows_of_block(), queries);
    for (int tile = 0; tile < z.steps; tile += DV_WARP) {
        __syncthreads();
        load_rows(z, part_of(z, x, number, 1), tile, DV_WARP, keys);
        load_rows(z, part_of(z, x, number, 2), tile, DV_WARP, values);
        __syncthreads();
        float p[ROWS];
        multiply_rows(z, own, keys + dv_lane() * z.pitch, p);
        for (int r = 0; r < ROWS; r++) {
            float factor = advance(rows[r], p[r] * z.scale, tile + dv_lane() < z.steps, &p[r]);
            for (int k = 0; k < Chunks; k++)
                sums[k][r] *= factor;
        }
        __syncwarp();
        dv_store<ROWS>(weights + dv_lane() * ROWS, p);
        __syncwarp();
        add_rows(z, weights, values, smaller(DV_WARP, z.steps - tile), sums);
    }
    float shares[ROWS];
    for (int r = 0; r < ROWS; r++) {
        shares[r] = 1.0F / dv_warp_sum(rows[r].sum);
        if (statistics != nullptr && dv_lane() == 0 && start + r < z.steps) {
            float *of_head = statistics + number * 2 * z.steps + start + r;
            of_head[0] = rows[r].largest;
            of_head[z.steps] = shares[r];
        }
    }
    store_rows(z, head_of(z, y, number), start, sums, shares);
}

/* ---- Backward: a block has a head ---- */

/* The memory of a block. Both sides have two parts: queries with dy, and keys with values. */
template <class T> struct head_work {
    head_rows<const T> rows[4]; /* q, dy, k, v */
    head_rows<T> gradients[3];  /* dq, dk, dv */
    const float *statistics;    /* (2, steps) */
    float *means;               /* (steps), sums of p dp over the keys */
    float *own[2], *other[2];   /* (rows_of_block, pitch), (32, pitch) */
    float *weights;             /* (32, ROWS), of the warp */
};

/* The probability p of a query and a key. */
static __device__ __forceinline__ float probability(float logit, float largest, float share)
{
    return dv_exp_negative(logit - largest) * share;
}

template <int Chunks, class T>
static __device__ __forceinline__ void add_weighted(const head_sizes &z, const head_work<T> &w,
                                                    const float (&values)[ROWS], const float *tile,
                                                    int count, float (&sums)[Chunks][ROWS])
{
    __syncwarp();
    dv_store<ROWS>(w.weights + dv_lane() * ROWS, values);
    __syncwarp();
    add_rows(z, w.weights, tile, count, sums);
}

/* Loads a tile of the other side: queries and dy with `side` 0, keys and values with 2. */
template <class T>
static __device__ __forceinline__ void load_tile(const head_sizes &z, const head_work<T> &w,
                                                 int side, int tile)
{
    __syncthreads();
    load_rows(z, w.rows[side], tile, DV_WARP, w.other[0]);
    load_rows(z, w.rows[side + 1], tile, DV_WARP, w.other[1]);
    __syncthreads();
}

/* Computes p and dp of the lane's key and the warp's queries. p is 0 beyond the last key. */
template <class T>
static __device__ __forceinline__ void
pair_queries(const head_sizes &z, const head_work<T> &w, int tile, const float (&largest)[ROWS],
             const float (&shares)[ROWS], float (&p)[ROWS], float (&dp)[ROWS])
{
    int mine = dv_warp() * ROWS * z.pitch, lanes = dv_lane() * z.pitch;
    multiply_rows(z, w.own[0] + mine, w.other[0] + lanes, p);
    multiply_rows(z, w.own[1] + mine, w.other[1] + lanes, dp);
    for (int r = 0; r < ROWS; r++) {
        bool inside = tile + dv_lane() < z.steps;
        p[r] = inside ? probability(p[r] * z.scale, largest[r], shares[r]) : 0.0F;
    }
}

/* Computes dq of the warp's queries. It also writes the means, for the keys. */
template <int Chunks, class T>
static __device__ void queries_backward(const head_sizes &z, const head_work<T> &w, int start)
{
    const float ones[ROWS] = {1.0F, 1.0F, 1.0F, 1.0F};
    float largest[ROWS], shares[ROWS], mean[ROWS] = {}, p[ROWS], dp[ROWS], sums[Chunks][ROWS] = {};
    for (int r = 0; r < ROWS; r++) {
        int i = smaller(start + r, z.steps - 1);
        largest[r] = w.statistics[i];
        shares[r] = w.statistics[z.steps + i];
    }
    for (int tile = 0; tile < z.steps; tile += DV_WARP) {
        load_tile(z, w, 2, tile);
        pair_queries(z, w, tile, largest, shares, p, dp);
        for (int r = 0; r < ROWS; r++)
            mean[r] += p[r] * dp[r];
    }
    for (int r = 0; r < ROWS; r++) {
        mean[r] = dv_warp_sum(mean[r]);
        if (dv_lane() == 0 && start + r < z.steps)
            w.means[start + r] = mean[r];
    }
    for (int tile = 0; tile < z.steps; tile += DV_WARP) {
        if (z.steps > DV_WARP) { /* a single tile still has its p and dp */
            load_tile(z, w, 2, tile);
            pair_queries(z, w, tile, largest, shares, p, dp);
        }
        for (int r = 0; r < ROWS; r++)
            dp[r] = p[r] * (dp[r] - mean[r]) * z.scale;
        add_weighted(z, w, dp, w.other[0], smaller(DV_WARP, z.steps - tile), sums);
    }
    store_rows(z, w.gradients[0], start, sums, ones);
}

/* Sums dk and dv of the warp's keys over all queries. p comes from the statistics of forward, and
   ds from the means that queries_backward has written. */
template <int Chunks, class T>
static __device__ void keys_backward(const head_sizes &z, const head_work<T> &w, int start)
{
    const float ones[ROWS] = {1.0F, 1.0F, 1.0F, 1.0F};
    float p[ROWS], ds[ROWS], dk[Chunks][ROWS] = {}, dv[Chunks][ROWS] = {};
    int mine = dv_warp() * ROWS * z.pitch, lanes = dv_lane() * z.pitch;
    for (int tile = 0; tile < z.steps; tile += DV_WARP) {
        load_tile(z, w, 0, tile);
        multiply_rows(z, w.own[0] + mine, w.other[0] + lanes, p);
        multiply_rows(z, w.own[1] + mine, w.other[1] + lanes, ds);
        bool inside = tile + dv_lane() < z.steps;
        int i = smaller(tile + dv_lane(), z.steps - 1), count = smaller(DV_WARP, z.steps - tile);
        float largest = w.statistics[i], share = w.statistics[z.steps + i], mean = w.means[i];
        for (int r = 0; r < ROWS; r++) {
            p[r] = inside ? probability(p[r] * z.scale, largest, share) : 0.0F;
            ds[r] = p[r] * (ds[r] - mean) * z.scale;
        }
        add_weighted(z, w, p, w.other[1], count, dv);
        add_weighted(z, w, ds, w.other[0], count, dk);
    }
    store_rows(z, w.gradients[1], start, dk, ones);
    store_rows(z, w.gradients[2], start, dv, ones);
}

template <class T>
static __device__ __forceinline__ void load_own(const head_sizes &z, const head_work<T> &w,
                                                int side, int block)
{
    __syncthreads();
    load_rows(z, w.rows[side], block, rows_of_block(), w.own[0]);
    load_rows(z, w.rows[side + 1], block, rows_of_block(), w.own[1]);
}

/* Computes dx of one head. All queries come first, because the keys need their means. */
template <class T, int Chunks>
__global__ void attention_backward(head_sizes z, const T *x, const T *dy, const float *statistics,
                                   float *means, T *dx)
{
    DV_DYNAMIC_SHARED(float, shared);
    int number = (int)blockIdx.x, own = rows_of_block() * z.pitch, other = DV_WARP * z.pitch;
    const head_work<T> w = {
        {part_of(z, x, number, 0), head_of(z, dy, number), part_of(z, x, number, 1),
         part_of(z, x, number, 2)},
        {part_of(z, dx, number, 0), part_of(z, dx, number, 1), part_of(z, dx, number, 2)},
        statistics + number * 2 * z.steps,
        means + number * z.steps,
        {shared, shared + own},
        {shared + 2 * own, shared + 2 * own + other},
        shared + 2 * own + 2 * other + dv_warp() * DV_WARP * ROWS};
    for (int block = 0; block < z.steps; block += rows_of_block()) {
        load_own(z, w, 0, block);
        queries_backward<Chunks>(z, w, block + dv_warp() * ROWS);
    }
    for (int block = 0; block < z.steps; block += rows_of_block()) {
        load_own(z, w, 2, block); /* its barrier makes the means visible */
        keys_backward<Chunks>(z, w, block + dv_warp() * ROWS);
    }
}

/* ---- Launchers ---- */

static bool fits(const dv_attention_sizes *sizes)
{
    return sizes->heads > 0 && sizes->channels % sizes->heads == 0 &&
           sizes->channels / sizes->heads <= DV_ATTENTION_WIDTH &&
           dv_fits(3 * sizes->samples * sizes->steps * sizes->channels);
}

static head_sizes get_sizes(const dv_attention_sizes *sizes)
{
    int width = (int)(sizes->channels / sizes->heads), lanes = 1;
    while (lanes < DV_WARP && lanes < width)
        lanes *= 2;
    return {(int)sizes->steps,
            (int)sizes->channels,
            (int)sizes->heads,
            width,
            VECTOR * ((width + VECTOR - 1) / VECTOR | 1),
            lanes,
            1.0F / sqrtf((float)width)};
}

/* The shared memory of a block of so many warps. Its own side has `parts` parts: one in forward,
   two in backward. */
static size_t shared_bytes(const head_sizes &z, int warps, int parts)
{
    int rows = parts * ROWS * warps + 2 * DV_WARP;
    return (size_t)(rows * z.pitch + warps * DV_WARP * ROWS) * sizeof(float);
}

/* The most warps that have rows and fit into shared memory. One warp always fits. */
static int warps_for(const head_sizes &z, int parts)
{
    int warps = MOST_WARPS;
    while (warps > 1 &&
           (warps / 2 * ROWS >= z.steps || shared_bytes(z, warps, parts) > (size_t)SHARED))
        warps /= 2;
    return warps;
}

template <class T, int Chunks>
static void launch(const head_sizes &z, int64_t heads, const T *x, T *y, float *statistics,
                   void *stream)
{
    int warps = warps_for(z, 1), blocks = (int)dv_divide_up(z.steps, warps * ROWS);
    DV_LAUNCH((attention<T, Chunks>), dim3((unsigned)(heads * blocks)), dim3(warps * DV_WARP),
              shared_bytes(z, warps, 1), stream, z, blocks, x, y, statistics);
}

template <class T, int Chunks>
static void launch_backward(const head_sizes &z, int64_t heads, const T *x, const T *dy,
                            const float *statistics, float *means, T *dx, void *stream)
{
    int warps = warps_for(z, 2);
    DV_LAUNCH((attention_backward<T, Chunks>), dim3((unsigned)heads), dim3(warps * DV_WARP),
              shared_bytes(z, warps, 2), stream, z, x, dy, statistics, means, dx);
}

/* Runs `function<T, Chunks>` with as many chunks of 32 channels as a head has. */
#define WITH_CHUNKS(z, function, T, ...)                                                           \
    do {                                                                                           \
        if ((z).width <= DV_WARP)                                                                  \
            function<T, 1>(z, __VA_ARGS__);                                                        \
        else if ((z).width <= 2 * DV_WARP)                                                         \
            function<T, 2>(z, __VA_ARGS__);                                                        \
        else                                                                                       \
            function<T, 4>(z, __VA_ARGS__);                                                        \
    } while (0)

int dv_launch_attention(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x, void *y,
                        float *statistics, void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    head_sizes z = get_sizes(sizes);
    int64_t heads = sizes->samples * sizes->heads;
    DV_WITH_DTYPE(dtype, T,
                  WITH_CHUNKS(z, launch, T, heads, (const T *)x, (T *)y, statistics, stream));
    return dv_launch_status();
}

int dv_launch_attention_backward(dv_dtype dtype, const dv_attention_sizes *sizes, const void *x,
                                 const void *dy, const float *statistics, float *means, void *dx,
                                 void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    head_sizes z = get_sizes(sizes);
    int64_t heads = sizes->samples * sizes->heads;
    DV_WITH_DTYPE(dtype, T,
                  WITH_CHUNKS(z, launch_backward, T, heads, (const T *)x, (const T *)dy, statistics,
                              means, (T *)dx, stream));
    return dv_launch_status();
}
