/*
 * The common parts of all kernels: launches, shared memory, element types, vectors, reductions. The
 * file of a kernel includes this header and none of CUDA's own.
 *
 * The same .cu files are compiled by nvcc and, for the simulated device, by a C++17 compiler with a
 * forced header that defines CUDA's words (DV_CUDASIM). So a kernel keeps to these rules:
 *   - Launches are DV_LAUNCH, shared memory is DV_SHARED or DV_DYNAMIC_SHARED.
 *   - Blocks are multiples of 32 threads, every lane that a mask names takes part, and no thread
 *     returns before a barrier that others still meet.
 *   - Results use no float atomics, since their order would change the sums.
 */
#ifndef DV_KERNELS_DEVICE_CUH
#define DV_KERNELS_DEVICE_CUH

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef DV_CUDASIM
/* The forced header has defined DV_LAUNCH, DV_SHARED, DV_DYNAMIC_SHARED and CUDA's words. */
#define DV_UNROLL
#else
#include <cuda_runtime.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/*
 * `kernel` is a name; a template's instance with commas stands in parentheses. `stream` is the
 * launcher's void pointer. The arguments are converted to the kernel's parameters at once, even if
 * the launch is captured. dv_launch_status has the error.
 */
#define DV_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
    (kernel)<<<(grid), (block), (shared_bytes), static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)

/* `T name[count]` in the shared memory of the block, undefined at the start. `count` is a
   constant. */
#define DV_SHARED(T, name, count) __shared__ T name[count]

/* `T *name`, the shared_bytes of the launch, 16-byte aligned. A kernel may have one. */
#define DV_DYNAMIC_SHARED(T, name)                                                                 \
    extern __shared__ __align__(16) unsigned char dv_dynamic_shared_memory[];                      \
    T *const name = reinterpret_cast<T *>(dv_dynamic_shared_memory)

/* For a loop with constant bounds. */
#define DV_UNROLL _Pragma("unroll")
#endif

constexpr int DV_WARP = 32;
constexpr unsigned DV_ALL_LANES = 0xFFFFFFFFU;
constexpr int DV_MAX_WARPS = 32; /* the most warps of a block */

/* ---- Host: launches ---- */

/* The cudaError_t of the launches just made. A launcher returns it. */
static inline int dv_launch_status()
{
    return static_cast<int>(cudaGetLastError());
}

/* Blocks for a loop over `count` elements with dv_first() and dv_stride(). There are at most a few
   waves of the largest devices, and at least one block, since `count` may be 0. */
static inline dim3 dv_blocks_for(int64_t count, int threads)
{
    const int64_t most = 4096;
    int64_t blocks = (count + threads - 1) / threads;
    blocks = blocks < 1 ? 1 : blocks;
    return dim3(static_cast<unsigned>(blocks > most ? most : blocks));
}

/*
 * Runs the statements with T as the element type. In a launcher:
 *     DV_WITH_DTYPE(dtype, T, DV_LAUNCH(copy<T>, grid, 256, 0, stream, (T *)y, (const T *)x, n));
 *     return dv_launch_status();
 * For any other type the launcher returns cudaErrorInvalidValue from here.
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

/* ---- Device: this thread's place in a grid and blocks of one dimension ---- */

/* A loop over elements is for (int64_t i = dv_first(); i < count; i += dv_stride()). */
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

/* Rounds to nearest, ties to even. A value that is too large for T becomes infinite. */
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

/* The number of T that one access of 16 bytes moves. */
template <class T> constexpr int dv_vector_width = 16 / static_cast<int>(sizeof(T));

/* `from` must be aligned to Count elements. */
template <int Count, class T>
static __device__ __forceinline__ void dv_load(const T *from, float (&into)[Count])
{
    const dv_vector<T, Count> vector = *reinterpret_cast<const dv_vector<T, Count> *>(from);
    DV_UNROLL
    for (int i = 0; i < Count; i++) {
        into[i] = dv_to_float(vector.element[i]);
    }
}

/* `into` must be aligned to Count elements. */
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

/* ---- Reductions: in a fixed order, with the result in every thread ---- */

struct dv_sum {
    static constexpr float neutral = 0.0F;

    __device__ __forceinline__ float operator()(float a, float b) const
    {
        return a + b;
    }
};

/* The larger of two. A NaN stays a NaN. */
struct dv_maximum {
    static constexpr float neutral = -3.402823466e38F;

    __device__ __forceinline__ float operator()(float a, float b) const
    {
        return a > b || a != a ? a : b;
    }
};

/* Reduces over the 32 lanes of a warp. All of them call it. */
template <class Operation>
static __device__ __forceinline__ float dv_warp_reduce(float value, Operation operation)
{
    for (int distance = DV_WARP / 2; distance > 0; distance /= 2) {
        value = operation(value, __shfl_xor_sync(DV_ALL_LANES, value, distance));
    }
    return value;
}

/*
 * Reduces `Count` values at once over the block. All its threads call it. The first barrier makes
 * the shared memory visible; the second lets the next call use it again.
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
