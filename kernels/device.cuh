/*
 * What every kernel needs: launches, shared memory, element types, vectors, reductions. A kernel's
 * file includes this one and no other header of CUDA's.
 *
 * The same .cu files are compiled by nvcc and, for the simulated device, by a C++17 compiler that
 * has been given the words of CUDA before (DV_CUDASIM). So a kernel keeps to this:
 *   - launches are DV_LAUNCH, shared memory is DV_SHARED or DV_DYNAMIC_SHARED;
 *   - blocks are multiples of 32 threads, every lane that a mask names takes part, and no thread
 *     returns before a barrier that others still meet;
 *   - float atomics are not used for results: their order would change the sums.
 */
#ifndef DV_KERNELS_DEVICE_CUH
#define DV_KERNELS_DEVICE_CUH

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef DV_CUDASIM
/* The forced header has defined DV_LAUNCH and the two of shared memory, and CUDA's words. */
#define DV_UNROLL
#else
#include <cuda_runtime.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/*
 * kernel: a name, or a template's instance in parentheses where it has commas. stream: the
 * launcher's void pointer. The arguments are converted to the kernel's parameters now, also where
 * the launch is being captured. Errors are dv_launch_status's.
 */
#define DV_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
    (kernel)<<<(grid), (block), (shared_bytes), static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)

/* `T name[count]` in the shared memory of the block; count is a constant. Starts undefined. */
#define DV_SHARED(T, name, count) __shared__ T name[count]

/* `T *name`: the shared_bytes of the launch, 16-byte aligned; one for a kernel. */
#define DV_DYNAMIC_SHARED(T, name)                                                                 \
    extern __shared__ __align__(16) unsigned char dv_dynamic_shared_memory[];                      \
    T *const name = reinterpret_cast<T *>(dv_dynamic_shared_memory)

/* Before a loop whose bounds are constants. */
#define DV_UNROLL _Pragma("unroll")
#endif

constexpr int DV_WARP = 32;
constexpr unsigned DV_ALL_LANES = 0xFFFFFFFFU;
constexpr int DV_MAX_WARPS = 32; /* of a block */

/* ---- Host: launches ---- */

/* What a launcher returns: the cudaError_t of the launches just made. */
static inline int dv_launch_status()
{
    return static_cast<int>(cudaGetLastError());
}

/* Blocks for a loop over `count` elements with dv_first() and dv_stride(). Never more than a few
   waves of the largest devices, and never none: count may be 0. */
static inline dim3 dv_blocks_for(int64_t count, int threads)
{
    const int64_t most = 4096;
    int64_t blocks = (count + threads - 1) / threads;
    blocks = blocks < 1 ? 1 : blocks;
    return dim3(static_cast<unsigned>(blocks > most ? most : blocks));
}

/*
 * Runs the statements with T as the element type; in a launcher:
 *     DV_WITH_DTYPE(dtype, T, DV_LAUNCH(copy<T>, grid, 256, 0, stream, (T *)y, (const T *)x, n));
 *     return dv_launch_status();
 * A launcher returns cudaErrorInvalidValue from here for what is no dv_dtype.
 */
#define DV_WITH_DTYPE(dtype, T, ...)                                                               \
    do {                                                                                           \
        switch (dtype) {                                                                           \
        case DV_F32: {                                                                             \
            using T = float;                                                                       \
            __VA_ARGS__;                                                                           \
            break;                                                                                 \
        }                                                                                          \
        case DV_F16: {                                                                             \
            using T = __half;                                                                      \
            __VA_ARGS__;                                                                           \
            break;                                                                                 \
        }                                                                                          \
        case DV_BF16: {                                                                            \
            using T = __nv_bfloat16;                                                               \
            __VA_ARGS__;                                                                           \
            break;                                                                                 \
        }                                                                                          \
        default:                                                                                   \
            return static_cast<int>(cudaErrorInvalidValue);                                        \
        }                                                                                          \
    } while (0)

/* ---- Device: where this thread is, in a grid and blocks of one dimension ---- */

/* for (int64_t i = dv_first(); i < count; i += dv_stride()) */
static __device__ __forceinline__ int64_t dv_first()
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ int64_t dv_stride()
{
    return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

static __device__ __forceinline__ int dv_lane()
{
    return static_cast<int>(threadIdx.x) % DV_WARP;
}

static __device__ __forceinline__ int dv_warp()
{
    return static_cast<int>(threadIdx.x) / DV_WARP;
}

static __device__ __forceinline__ int dv_warps()
{
    return static_cast<int>(blockDim.x) / DV_WARP;
}

/* ---- Element types: stored as T, computed in float ---- */

static __device__ __forceinline__ float dv_to_float(float value)
{
    return value;
}

static __device__ __forceinline__ float dv_to_float(__half value)
{
    return __half2float(value);
}

static __device__ __forceinline__ float dv_to_float(__nv_bfloat16 value)
{
    return __bfloat162float(value);
}

/* Rounds to nearest even; what is too large for T becomes infinite. */
template <class T> static __device__ __forceinline__ T dv_from_float(float value);

template <> __device__ __forceinline__ float dv_from_float<float>(float value)
{
    return value;
}

template <> __device__ __forceinline__ __half dv_from_float<__half>(float value)
{
    return __float2half_rn(value);
}

template <> __device__ __forceinline__ __nv_bfloat16 dv_from_float<__nv_bfloat16>(float value)
{
    return __float2bfloat16_rn(value);
}

/* ---- Vectors: `Count` neighbours in one access of at most 16 bytes ---- */

template <class T, int Count> struct alignas(sizeof(T) * Count) dv_vector {
    static_assert(sizeof(T) * Count <= 16 && (Count & (Count - 1)) == 0, "one access of a device");
    T element[Count];
};

/* How many T one access of 16 bytes moves. */
template <class T> constexpr int dv_vector_width = 16 / static_cast<int>(sizeof(T));

/* from: aligned to Count elements. */
template <int Count, class T>
static __device__ __forceinline__ void dv_load(const T *from, float (&into)[Count])
{
    const dv_vector<T, Count> vector = *reinterpret_cast<const dv_vector<T, Count> *>(from);
    DV_UNROLL
    for (int i = 0; i < Count; i++) {
        into[i] = dv_to_float(vector.element[i]);
    }
}

/* into: aligned to Count elements. */
template <int Count, class T>
static __device__ __forceinline__ void dv_store(T *into, const float (&from)[Count])
{
    dv_vector<T, Count> vector;
    DV_UNROLL
    for (int i = 0; i < Count; i++) {
        vector.element[i] = dv_from_float<T>(from[i]);
    }
    *reinterpret_cast<dv_vector<T, Count> *>(into) = vector;
}

/* Host: whether a pointer may be read by vectors of 16 bytes. */
static inline bool dv_aligned(const void *pointer)
{
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

/* ---- Reductions: always in the same order, the result in every thread ---- */

struct dv_sum {
    static constexpr float neutral = 0.0F;

    __device__ __forceinline__ float operator()(float a, float b) const
    {
        return a + b;
    }
};

/* The largest; a NaN stays a NaN. */
struct dv_maximum {
    static constexpr float neutral = -3.402823466e38F;

    __device__ __forceinline__ float operator()(float a, float b) const
    {
        return a > b || a != a ? a : b;
    }
};

/* Over the 32 lanes of a warp, all of which call. */
template <class Operation>
static __device__ __forceinline__ float dv_warp_reduce(float value, Operation operation)
{
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2) {
        value = operation(value, __shfl_xor_sync(DV_ALL_LANES, value, distance));
    }
    return value;
}

/*
 * Over the block, all threads of which call, `Count` values at once. The barrier at the end lets
 * the next call use the same shared memory; the one after the first stage makes it visible.
 */
template <int Count, class Operation>
static __device__ void dv_block_reduce(float (&values)[Count], Operation operation)
{
    DV_SHARED(float, partial, Count *DV_MAX_WARPS);
    for (int i = 0; i < Count; i++) {
        const float reduced = dv_warp_reduce(values[i], operation);
        if (dv_lane() == 0) {
            partial[i * DV_MAX_WARPS + dv_warp()] = reduced;
        }
    }
    __syncthreads();
    for (int i = 0; i < Count; i++) {
        const float mine =
            dv_lane() < dv_warps() ? partial[i * DV_MAX_WARPS + dv_lane()] : Operation::neutral;
        values[i] = dv_warp_reduce(mine, operation);
    }
    __syncthreads();
}

static __device__ __forceinline__ float dv_warp_sum(float value)
{
    return dv_warp_reduce(value, dv_sum());
}

static __device__ __forceinline__ float dv_warp_maximum(float value)
{
    return dv_warp_reduce(value, dv_maximum());
}

static __device__ __forceinline__ float dv_block_sum(float value)
{
    float values[1] = {value};
    dv_block_reduce(values, dv_sum());
    return values[0];
}

static __device__ __forceinline__ float dv_block_maximum(float value)
{
    float values[1] = {value};
    dv_block_reduce(values, dv_maximum());
    return values[0];
}

#endif
