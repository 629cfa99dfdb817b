/* Kernels of spatial attention. A block computes a sample from its maps to its result. */
#include "kernels/spatial_attention.h"

#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"
#include "kernels/last_block.cuh"

/* A block has one sample. Maps in shared memory are planes (height + kernel - 1, stride) with zeros
   around the map. */
struct block_sizes {
    int samples, height, width, channels, kernel;
    int positions; /* height x width */
    int stride;    /* width + kernel - 1 */
    int plane;     /* elements of a plane */
    int lanes;     /* lanes that share a position of the convolution, a power of two up to a warp */
};

constexpr int MOST_THREADS = 512;

/* ---- The maximum over the channels: a warp has a position ---- */

struct candidate {
    float value;
    int channel;
};

/* The better candidate for the maximum: the first of the largest values, or the last NaN, which is
   larger than all numbers. A loop that takes each larger value and each NaN finds the same. */
static __device__ __forceinline__ candidate better(candidate a, candidate b)
{
    bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    bool wins = a_nan || b_nan ? b_nan && (!a_nan || b.channel > a.channel)
                               : b.value > a.value || (b.value == a.value && b.channel < a.channel);
    return wins ? b : a;
}

/* The maximum of x (channels) and, in *sum, the sum of all, in every lane. */
template <class T> static __device__ candidate sum_and_maximum(const T *x, int channels, float *sum)
{
    candidate best = {dv_to_float(x[0]), 0};
    float own = 0.0F;
    for (int c = dv_lane(); c < channels; c += DV_WARP) {
        float value = dv_to_float(x[c]);
        own += value;
        best = better(best, {value, c});
    }
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2) {
        candidate other = {__shfl_xor_sync(DV_ALL_LANES, best.value, distance),
                           __shfl_xor_sync(DV_ALL_LANES, best.channel, distance)};
        best = better(best, other);
    }
    *sum = dv_warp_sum(own);
    return best;
}

/* ---- Planes ---- */

/* The index of position p in a plane. */
static __device__ __forceinline__ int place_in_plane(const block_sizes &z, int p)
{
    int border = z.kernel / 2;
    return (p / z.width + border) * z.stride + p % z.width + border;
}

/* Fills `count` elements of planes with zeros, and copies the weight. The whole block sees both on
   return. */
static __device__ __forceinline__ void begin_planes(const block_sizes &z, float *planes, int count,
                                                    const float *weight, float *shared_weight)
{
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        planes[i] = 0.0F;
    for (int t = (int)threadIdx.x; t < 2 * z.kernel * z.kernel; t += (int)blockDim.x)
        shared_weight[t] = weight[t];
    __syncthreads();
}

/* Computes a sample in three parts with barriers between them: the maps (a warp for each position),
   the gates (z.lanes threads for each position), and y. The maps stay in shared memory, and `r`
   gets all values that backward reads. */
template <class T>
__global__ void __launch_bounds__(MOST_THREADS)
    spatial_attention(block_sizes z, const T *x, const float *weight, dv_spatial_attention_saved r,
                      T *y)
{
    DV_DYNAMIC_SHARED(float, planes);
    float *w = planes + 2 * z.plane;
    int n = (int)blockIdx.x, offset = n * z.positions * z.channels;
    int taps = z.kernel * z.kernel;
    float *map = r.map + 2 * n * z.positions, *gate = r.gate + n * z.positions;
    if (n == 0 && threadIdx.x == 0)
        *r.ticket = 0;
    begin_planes(z, planes, 2 * z.plane, weight, w);
    for (int p = dv_warp(); p < z.positions; p += dv_warps()) {
        float sum;
        candidate best = sum_and_maximum(x + offset + p * z.channels, z.channels, &sum);
        if (dv_lane() == 0) {
            int at = place_in_plane(z, p);
            planes[at] = map[p] = sum / (float)z.channels;
            planes[z.plane + at] = map[z.positions + p] = best.value;
            r.place[n * z.positions + p] = best.channel;
        }
    }
    __syncthreads();
    for (int base = 0; base < z.positions; base += (int)blockDim.x / z.lanes) {
        int p = base + (int)threadIdx.x / z.lanes;
        const float *corner = planes + (p / z.width) * z.stride + p % z.width;
        float sum = 0.0F;
        for (int t = (int)threadIdx.x % z.lanes; p < z.positions && t < taps; t += z.lanes) {
            const float *at = corner + t / z.kernel * z.stride + t % z.kernel;
            sum += w[t] * at[0] + w[taps + t] * at[z.plane];
        }
        for (int distance = z.lanes / 2; distance > 0; distance /= 2)
            sum += __shfl_xor_sync(DV_ALL_LANES, sum, distance);
        if (p < z.positions && threadIdx.x % (unsigned)z.lanes == 0)
            gate[p] = dv_sigmoid(sum);
    }
    __syncthreads();
    for (int p = dv_warp(); p < z.positions; p += dv_warps()) {
        float factor = gate[p];
        for (int c = dv_lane(); c < z.channels; c += DV_WARP) {
            int i = offset + p * z.channels + c;
            y[i] = dv_from_float<T>(dv_to_float(x[i]) * factor);
        }
    }
}

/* Computes the sample's part of the weight's gradient. A warp has a tap, and dz is a plane. */
static __device__ __forceinline__ void correlate(const block_sizes &z, const float *dz,
                                                 const float *map, float *part)
{
    int border = z.kernel / 2, taps = z.kernel * z.kernel;
    for (int t = dv_warp(); t < 2 * taps; t += dv_warps()) {
        int down = t % taps / z.kernel - border, right = t % z.kernel - border;
        const float *from = map + t / taps * z.positions;
        float sum = 0.0F;
        for (int p = dv_lane(); p < z.positions; p += DV_WARP) {
            int i = p / z.width + down, j = p % z.width + right;
            if (i >= 0 && i < z.height && j >= 0 && j < z.width)
                sum += dz[place_in_plane(z, p)] * from[i * z.width + j];
        }
        sum = dv_warp_sum(sum);
        if (dv_lane() == 0)
            part[t] = sum;
    }
}

/* Computes dz, the gradient before the sigmoid, then the sample's part of the weight's gradient and
   dx. The last block of the grid sums the parts over the samples. */
template <class T>
__global__ void __launch_bounds__(MOST_THREADS)
    spatial_attention_backward(block_sizes z, const T *x, const T *dy, const float *weight,
                               dv_spatial_attention_saved r, float *parts, T *dx, float *dweight)
{
    DV_DYNAMIC_SHARED(float, dz);
    float *w = dz + z.plane;
    int n = (int)blockIdx.x, offset = n * z.positions * z.channels, first = n * z.positions;
    int taps = z.kernel * z.kernel;
    begin_planes(z, dz, z.plane, weight, w);
    for (int p = dv_warp(); p < z.positions; p += dv_warps()) {
        float sum = 0.0F;
        for (int c = dv_lane(); c < z.channels; c += DV_WARP) {
            int i = offset + p * z.channels + c;
            sum += dv_to_float(dy[i]) * dv_to_float(x[i]);
        }
        sum = dv_warp_sum(sum);
        if (dv_lane() == 0)
            dz[place_in_plane(z, p)] = sum * dv_sigmoid_slope_from_y(r.gate[first + p]);
    }
    __syncthreads();
    correlate(z, dz, r.map + 2 * first, parts + 2 * n * taps);
    for (int p = dv_warp(); dx != nullptr && p < z.positions; p += dv_warps()) {
        const float *corner = dz + (p / z.width) * z.stride + p % z.width;
        float of_mean = 0.0F, of_maximum = 0.0F, gate = r.gate[first + p];
        for (int t = dv_lane(); t < taps; t += DV_WARP) { /* the kernel turned by 180 degrees */
            float value = corner[t / z.kernel * z.stride + t % z.kernel];
            of_mean += w[taps - 1 - t] * value;
            of_maximum += w[2 * taps - 1 - t] * value;
        }
        of_mean = dv_warp_sum(of_mean) / (float)z.channels;
        of_maximum = dv_warp_sum(of_maximum);
        for (int c = dv_lane(); c < z.channels; c += DV_WARP) {
            int i = offset + p * z.channels + c;
            float of_map = c == r.place[first + p] ? of_mean + of_maximum : of_mean;
            dx[i] = dv_from_float<T>(dv_to_float(dy[i]) * gate + of_map);
        }
    }
    if (!dv_last_block(r.ticket))
        return;
    for (int t = (int)threadIdx.x; t < 2 * taps; t += (int)blockDim.x) {
        float sum = 0.0F;
        for (int sample = 0; sample < z.samples; sample++)
            sum += parts[sample * 2 * taps + t];
        dweight[t] = sum;
    }
}

/* ---- Launchers ---- */

static int64_t plane_of(const dv_spatial_attention_sizes *sizes)
{
    return (sizes->height + sizes->kernel - 1) * (sizes->width + sizes->kernel - 1);
}

size_t dv_spatial_attention_shared(const dv_spatial_attention_sizes *sizes)
{
    int64_t weight = 2 * sizes->kernel * sizes->kernel;
    return (size_t)(2 * plane_of(sizes) + weight) * sizeof(float);
}

static bool fits(const dv_spatial_attention_sizes *sizes)
{
    return dv_spatial_attention_shared(sizes) <= (size_t)DV_GATE_SHARED &&
           dv_fits(sizes->samples * sizes->height * sizes->width * sizes->channels) &&
           dv_fits(2 * sizes->samples * sizes->height * sizes->width) &&
           dv_fits(2 * sizes->samples * sizes->kernel * sizes->kernel);
}

/* The threads for a warp for each position or for each tap, whichever are more. */
static unsigned threads_for(const dv_spatial_attention_sizes *sizes)
{
    int64_t positions = sizes->height * sizes->width, taps = 2 * sizes->kernel * sizes->kernel;
    int64_t wanted = DV_WARP * (positions > taps ? positions : taps);
    unsigned threads = DV_WARP;
    while (threads < MOST_THREADS && threads < wanted)
        threads *= 2;
    return threads;
}

static block_sizes for_block(const dv_spatial_attention_sizes *sizes)
{
    int positions = (int)(sizes->height * sizes->width), lanes = DV_WARP;
    while (lanes > 1 && lanes * positions > (int)threads_for(sizes))
        lanes /= 2;
    return {(int)sizes->samples,
            (int)sizes->height,
            (int)sizes->width,
            (int)sizes->channels,
            (int)sizes->kernel,
            positions,
            (int)(sizes->width + sizes->kernel - 1),
            (int)plane_of(sizes),
            lanes};
}

int dv_launch_spatial_attention(dv_dtype dtype, const dv_spatial_attention_sizes *sizes,
                                const void *x, const float *weight,
                                const dv_spatial_attention_saved *record, void *y, void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(spatial_attention<T>, dim3((unsigned)sizes->samples),
                            dim3(threads_for(sizes)), dv_spatial_attention_shared(sizes), stream,
                            for_block(sizes), (const T *)x, weight, *record, (T *)y));
    return dv_launch_status();
}

int dv_launch_spatial_attention_backward(dv_dtype dtype, const dv_spatial_attention_sizes *sizes,
                                         const void *x, const void *dy, const float *weight,
                                         const dv_spatial_attention_saved *record, float *scratch,
                                         void *dx, float *dweight, void *stream)
{
    if (!fits(sizes))
        return (int)cudaErrorInvalidValue;
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(spatial_attention_backward<T>, dim3((unsigned)sizes->samples),
                            dim3(threads_for(sizes)), dv_spatial_attention_shared(sizes), stream,
                            for_block(sizes), (const T *)x, (const T *)dy, weight, *record, scratch,
                            (T *)dx, dweight));
    return dv_launch_status();
}
