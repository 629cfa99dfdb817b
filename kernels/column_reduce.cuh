/*
 * Blocks of threads over a matrix (rows, channels). threadIdx.x runs along the channels, so that a
 * warp reads neighbours, and threadIdx.y along the rows. blockDim.x is a power of two up to 32, and
 * a block has whole warps.
 */
#ifndef DV_KERNELS_COLUMNS_CUH
#define DV_KERNELS_COLUMNS_CUH

#include "kernels/device.cuh"

/* A block of at most `threads` threads, at most `width` (a power of two) of them side by side. */
static inline dim3 dv_column_block(int64_t rows, int64_t channels, unsigned width, unsigned threads)
{
    unsigned x = 1, y = 1;
    while (x < width && x < channels)
        x *= 2;
    while (x * y < 32 || (x * y < threads && y < rows))
        y *= 2;
    return dim3(x, y);
}

/*
 * Sums of a column's values over the block's rows. All threads of the block call it, and those of a
 * column get the same sums. shared (DV_MAX_WARPS * blockDim.x) may be used for the next call.
 */
static __device__ __forceinline__ float2 dv_column_sums(float2 value, float2 *shared)
{
    unsigned width = blockDim.x, thread = threadIdx.y * width + threadIdx.x;
    unsigned warps = width * blockDim.y / 32, lane = thread % 32;
    for (unsigned distance = 16; distance >= width; distance /= 2) {
        value.x += __shfl_xor_sync(DV_ALL_LANES, value.x, distance);
        value.y += __shfl_xor_sync(DV_ALL_LANES, value.y, distance);
    }
    __syncthreads(); /* the sums of an earlier call have been read */
    if (lane < width)
        shared[thread / 32 * width + lane] = value;
    __syncthreads();
    float2 sum = make_float2(0.0F, 0.0F);
    for (unsigned warp = 0; warp < warps; warp++) {
        float2 part = shared[warp * width + threadIdx.x];
        sum.x += part.x;
        sum.y += part.y;
    }
    return sum;
}

#endif
