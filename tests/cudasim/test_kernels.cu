#include "tests/cudasim/test_kernels.h"

#include "kernels/device.cuh"

constexpr int tile = 16;

template <class T, int Width>
static __global__ void scale(T *y, const T *x, float factor, int64_t count)
{
    for (int64_t i = dv_first() * Width; i < count; i += dv_stride() * Width) {
        float values[Width];
        dv_load(x + i, values);
        for (int k = 0; k < Width; k++) {
            values[k] *= factor;
        }
        dv_store(y + i, values);
    }
}

static __global__ void softmax(float *y, const float *x, int columns)
{
    const int64_t row = static_cast<int64_t>(blockIdx.x) * columns;
    const int thread = static_cast<int>(threadIdx.x);
    const int stride = static_cast<int>(blockDim.x);
    float largest = dv_maximum::neutral;
    for (int i = thread; i < columns; i += stride) {
        largest = fmaxf(largest, x[row + i]);
    }
    largest = dv_block_maximum(largest);
    float sum = 0.0F;
    for (int i = thread; i < columns; i += stride) {
        sum += expf(x[row + i] - largest);
    }
    sum = dv_block_sum(sum);
    for (int i = thread; i < columns; i += stride) {
        y[row + i] = expf(x[row + i] - largest) / sum;
    }
}

static __global__ void transpose(float *y, const float *x, int rows, int columns)
{
    DV_SHARED(float, square, tile *(tile + 1));
    const int left = static_cast<int>(blockIdx.x) * tile;
    const int top = static_cast<int>(blockIdx.y) * tile;
    const int across = static_cast<int>(threadIdx.x);
    const int down = static_cast<int>(threadIdx.y);
    square[down * (tile + 1) + across] = x[(top + down) * columns + left + across];
    __syncthreads();
    y[(left + down) * rows + top + across] = square[across * (tile + 1) + down];
}

static __global__ void warp_scan(int *y, const int *x)
{
    int sum = x[threadIdx.x];
    for (unsigned distance = 1; distance < 32; distance *= 2) {
        const int before = __shfl_up_sync(DV_ALL_LANES, sum, distance);
        if (threadIdx.x >= distance) {
            sum += before;
        }
    }
    y[threadIdx.x] = sum;
}

static __global__ void warp_segments(int *y, const int *x, unsigned *votes)
{
    const int lane = dv_lane();
    const int value = x[lane];
    y[lane] = __shfl_sync(DV_ALL_LANES, value, 7 - lane % 8, 8);
    const bool odd = value % 2 != 0;
    const unsigned ballot = __ballot_sync(DV_ALL_LANES, odd);
    /* The lanes form two groups, each with a mask of its own. */
    const unsigned group = odd ? ballot : ~ballot;
    __syncwarp(group);
    const bool all_alike = odd ? __all_sync(group, odd) : !__any_sync(group, odd);
    if (lane == 0) {
        *votes = all_alike ? ballot : 0U;
    }
}

static __global__ void reverse(float *y, const float *x, int count)
{
    DV_DYNAMIC_SHARED(float, values);
    const int i = static_cast<int>(threadIdx.x);
    values[i] = x[i];
    __syncthreads();
    y[i] = values[count - 1 - i];
}

static __global__ void count_odd(int *total, int *even_blocks, const int *x)
{
    const bool odd = x[dv_first()] % 2 != 0;
    const int count = __syncthreads_count(odd);
    const bool any = __syncthreads_or(odd);
    const bool none = __syncthreads_and(!odd);
    if (threadIdx.x == 0) {
        atomicAdd(total, count);
        atomicAdd(even_blocks, none && !any ? 1 : 0);
    }
}

static __global__ void large_shared(float *y, int count)
{
    DV_DYNAMIC_SHARED(float, values);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        values[i] = static_cast<float>(i);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        y[0] = (values[count - 1] + 1.0F) / 256.0F;
    }
}

static __global__ void nothing(float *y)
{
    (void)y;
}

static __global__ void device_overrun(float *y, int offset)
{
    y[static_cast<int>(threadIdx.x) + offset] = 1.0F;
}

static __global__ void shared_overrun(float *y, int offset)
{
    DV_SHARED(float, values, 64);
    float *shifted = values + offset;
    shifted[threadIdx.x] = 1.0F;
    __syncthreads();
    y[threadIdx.x] = values[threadIdx.x];
}

static __global__ void dynamic_overrun(float *y)
{
    DV_DYNAMIC_SHARED(float, values);
    values[threadIdx.x + 1] = 1.0F;
    __syncthreads();
    y[threadIdx.x] = 1.0F;
}

static __global__ void missing_barrier(float *y)
{
    DV_SHARED(float, values, 64);
    values[threadIdx.x] = static_cast<float>(threadIdx.x);
    y[threadIdx.x] = values[(threadIdx.x + 1) % 64];
}

/* clang-format off */
static __global__ void divergent_barrier(float *y)
{
    if (threadIdx.x < 32) { __syncthreads(); y[0] = 1.0F; } else { __syncthreads(); }
}
/* clang-format on */

static __global__ void return_barrier(float *y)
{
    if (threadIdx.x >= 32) {
        return;
    }
    __syncthreads();
    y[threadIdx.x] = 1.0F;
}

static __global__ void unwritten(float *y)
{
    if (threadIdx.x % 2 == 0) {
        y[threadIdx.x] = 1.0F;
    }
}

static __global__ void uninitialised(float *y)
{
    DV_SHARED(float, sums, 64);
    sums[threadIdx.x] += 1.0F;
    __syncthreads();
    y[threadIdx.x] = sums[threadIdx.x];
}

static __global__ void missing_lane(float *y)
{
    float value = 1.0F;
    if (dv_lane() < 31) {
        value += __shfl_down_sync(DV_ALL_LANES, value, 1U);
    }
    y[threadIdx.x] = value;
}

static __global__ void divergent_lanes(float *y)
{
    float value = 1.0F;
    if (dv_lane() < 16) {
        value = __shfl_xor_sync(DV_ALL_LANES, value, 1);
    } else {
        value = __shfl_xor_sync(DV_ALL_LANES, value, 1);
    }
    y[threadIdx.x] = value;
}

static __global__ void foreign_mask(float *y)
{
    y[threadIdx.x] = __shfl_xor_sync(0x0000FFFFU, 1.0F, 1);
}

static __global__ void unnamed_lane(float *y)
{
    float value = 1.0F;
    if (dv_lane() < 16) {
        value = __shfl_sync(0x0000FFFFU, value, 16);
    }
    y[threadIdx.x] = value;
}

static __global__ void barrier_and_shuffle(float *y)
{
    float value = 1.0F;
    if (dv_lane() < 16) {
        __syncthreads();
    } else {
        value = __shfl_xor_sync(DV_ALL_LANES, value, 1);
    }
    y[threadIdx.x] = value;
}

int test_scale(dv_dtype dtype, void *y, const void *x, float factor, int64_t count, void *stream)
{
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH((scale<T, 4>), dv_blocks_for(count / 4, 64), 64, 0, stream,
                            static_cast<T *>(y), static_cast<const T *>(x), factor, count));
    return dv_launch_status();
}

int test_softmax(float *y, const float *x, int rows, int columns, void *stream)
{
    DV_LAUNCH(softmax, dim3(static_cast<unsigned>(rows)), 96, 0, stream, y, x, columns);
    return dv_launch_status();
}

int test_transpose(float *y, const float *x, int rows, int columns, void *stream)
{
    const dim3 grid(static_cast<unsigned>(columns / tile), static_cast<unsigned>(rows / tile));
    DV_LAUNCH(transpose, grid, dim3(tile, tile), 0, stream, y, x, rows, columns);
    return dv_launch_status();
}

int test_warp_scan(int *y, const int *x, void *stream)
{
    DV_LAUNCH(warp_scan, 1, 32, 0, stream, y, x);
    return dv_launch_status();
}

int test_warp_segments(int *y, const int *x, unsigned *votes, void *stream)
{
    DV_LAUNCH(warp_segments, 1, 32, 0, stream, y, x, votes);
    return dv_launch_status();
}

int test_reverse(float *y, const float *x, int count, void *stream)
{
    const size_t bytes = static_cast<size_t>(count) * sizeof(float);
    DV_LAUNCH(reverse, 1, dim3(static_cast<unsigned>(count)), bytes, stream, y, x, count);
    return dv_launch_status();
}

int test_count_odd(int *total, int *even_blocks, const int *x, int count, void *stream)
{
    DV_LAUNCH(count_odd, dim3(static_cast<unsigned>(count / 64)), 64, 0, stream, total, even_blocks,
              x);
    return dv_launch_status();
}

int test_large_shared(float *y, int kibibytes, int allow, void *stream)
{
    const size_t bytes = static_cast<size_t>(kibibytes) * 1024;
    if (allow) {
        const cudaError_t status = cudaFuncSetAttribute(
            reinterpret_cast<const void *>(large_shared),
            cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
        if (status != cudaSuccess) {
            return status;
        }
    }
    DV_LAUNCH(large_shared, 1, 64, bytes, stream, y, kibibytes * 256);
    return dv_launch_status();
}

int test_empty_launch(float *y, unsigned threads, void *stream)
{
    DV_LAUNCH(nothing, 1, dim3(threads), 0, stream, y);
    return dv_launch_status();
}

#define PLANT(kernel, shared, ...)                                                                 \
    DV_LAUNCH(kernel, 1, 64, shared, stream, __VA_ARGS__);                                         \
    break

int test_plant(test_bug bug, float *y, void *stream)
{
    switch (bug) {
    case BUG_DEVICE_OVERRUN:
        PLANT(device_overrun, 0, y, 1);
    case BUG_DEVICE_UNDERRUN:
        PLANT(device_overrun, 0, y, -1);
    case BUG_SHARED_OVERRUN:
        PLANT(shared_overrun, 0, y, 1);
    case BUG_DYNAMIC_OVERRUN:
        PLANT(dynamic_overrun, 64 * sizeof(float), y);
    case BUG_MISSING_BARRIER:
        PLANT(missing_barrier, 0, y);
    case BUG_DIVERGENT_BARRIER:
        PLANT(divergent_barrier, 0, y);
    case BUG_RETURN_BARRIER:
        PLANT(return_barrier, 0, y);
    case BUG_UNWRITTEN:
        PLANT(unwritten, 0, y);
    case BUG_UNINITIALISED:
        PLANT(uninitialised, 0, y);
    case BUG_MISSING_LANE:
        PLANT(missing_lane, 0, y);
    case BUG_DIVERGENT_LANES:
        PLANT(divergent_lanes, 0, y);
    case BUG_FOREIGN_MASK:
        PLANT(foreign_mask, 0, y);
    case BUG_UNNAMED_LANE:
        PLANT(unnamed_lane, 0, y);
    case BUG_BARRIER_AND_SHUFFLE:
        PLANT(barrier_and_shuffle, 0, y);
    }
    return dv_launch_status();
}
