/*
 * CUDA's words for a C++17 compiler. The header is included by force (-include) before a kernel's
 * .cu file, with -DDV_CUDASIM, so that the file runs on the simulated device. kernels/device.cuh
 * has the rules for kernels. A word that is missing here must not compile: add it with its meaning,
 * never a stand-in that computes something else.
 */
#ifndef CUDASIM_DEVICE_H
#define CUDASIM_DEVICE_H

#ifndef DV_CUDASIM
#error "tests/cudasim/device.h is for the simulated device: compile with -DDV_CUDASIM"
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __managed__
#undef __forceinline__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __managed__ _Pragma("GCC error \"managed memory is not simulated\"")
#define __shared__ _Pragma("GCC error \"write DV_SHARED or DV_DYNAMIC_SHARED\"")
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

namespace cudasim
{
/*
 * A place in the source where threads wait for each other. Its address is its identity, which tells
 * two places on one line, or in two instances of a template, apart. The number keeps a compiler
 * from merging two constants.
 */
struct Site {
    const char *call;
    const char *file;
    int line;
    int number;
};

/* The position of the running thread. */
extern const uint3 *thread_index;
extern uint3 block_index;
extern dim3 block_size;
extern dim3 grid_size;

/* Checks the configuration as a real launch does and submits the kernel. cudaGetLastError returns
   its errors. */
void launch_kernel(const char *name, const void *kernel, dim3 grid, dim3 block, std::size_t shared,
                   void *stream, const std::function<void()> &thread);

/* Launches a kernel. The arguments are converted to the parameters' types here, as on a device. */
template <class... Parameters, class... Arguments>
void launch(const char *name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            std::size_t shared, void *stream, Arguments &&...arguments)
{
    std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
    launch_kernel(name, reinterpret_cast<const void *>(kernel), grid, block, shared, stream,
                  [kernel, values] { std::apply(kernel, values); });
}

/* The block's shared memory of this key. It is NaN when the block starts. */
void *shared_array(const void *key, const char *name, std::size_t bytes, std::size_t alignment);
void *dynamic_shared();

/* Waits for the whole block. Returns the number of threads with a true predicate. */
int barrier(const Site *site, bool predicate);
int block_threads();

unsigned lane();
void warp_barrier(const Site *site, unsigned mask);
unsigned warp_ballot(const Site *site, unsigned mask, bool predicate);
/* Each lane of the mask offers `bytes` (at most 8) and receives those of lane `source`, or NaN if
   the mask does not name that lane. */
void warp_exchange(const Site *site, unsigned mask, const void *offered, void *received,
                   std::size_t bytes, unsigned source);

template <class T> T exchange(const Site *site, unsigned mask, T value, unsigned source)
{
    static_assert(std::is_arithmetic<T>::value || std::is_same<T, __half>::value ||
                      std::is_same<T, __half2>::value || std::is_same<T, __nv_bfloat16>::value ||
                      std::is_same<T, __nv_bfloat162>::value,
                  "a device shuffles no other types");
    T received = value;
    warp_exchange(site, mask, &value, &received, sizeof value, source);
    return received;
}

/* The lane with the number `target` inside the calling lane's segment of `width` lanes. A number
   outside the segment stands for the calling lane itself. */
inline unsigned segment_lane(int target, int width)
{
    const int first = static_cast<int>(lane()) / width * width;
    return target < 0 || target >= width ? lane() : static_cast<unsigned>(first + target);
}

inline int place_in_segment(int width)
{
    return static_cast<int>(lane()) % width;
}

template <class T> T shuffle(const Site *site, unsigned mask, T value, int source, int width = 32)
{
    return exchange(site, mask, value, segment_lane(source & (width - 1), width));
}

template <class T>
T shuffle_xor(const Site *site, unsigned mask, T value, int lanes, int width = 32)
{
    return exchange(site, mask, value, segment_lane(place_in_segment(width) ^ lanes, width));
}

template <class T>
T shuffle_down(const Site *site, unsigned mask, T value, unsigned distance, int width = 32)
{
    const int target = place_in_segment(width) + static_cast<int>(distance);
    return exchange(site, mask, value, segment_lane(target, width));
}

template <class T>
T shuffle_up(const Site *site, unsigned mask, T value, unsigned distance, int width = 32)
{
    const int target = place_in_segment(width) - static_cast<int>(distance);
    return exchange(site, mask, value, segment_lane(target, width));
}

inline unsigned mask_or_all(unsigned mask = 0xFFFFFFFFU)
{
    return mask;
}

template <class To, class From> To as(From value)
{
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}
} // namespace cudasim

#define threadIdx (*cudasim::thread_index)
#define blockIdx (cudasim::block_index)
#define blockDim (cudasim::block_size)
#define gridDim (cudasim::grid_size)
#define warpSize 32

#define CUDASIM_SITE(call)                                                                         \
    ([]() -> const cudasim::Site * {                                                               \
        static const cudasim::Site site = {call, __FILE__, __LINE__, __COUNTER__};                 \
        return &site;                                                                              \
    }())

#define __syncthreads() ((void)cudasim::barrier(CUDASIM_SITE("__syncthreads"), false))
#define __syncthreads_or(predicate)                                                                \
    (cudasim::barrier(CUDASIM_SITE("__syncthreads_or"), (predicate) != 0) != 0)
#define __syncthreads_and(predicate)                                                               \
    (cudasim::barrier(CUDASIM_SITE("__syncthreads_and"), (predicate) != 0) ==                      \
     cudasim::block_threads())
#define __syncthreads_count(predicate)                                                             \
    cudasim::barrier(CUDASIM_SITE("__syncthreads_count"), (predicate) != 0)

#define __syncwarp(...)                                                                            \
    cudasim::warp_barrier(CUDASIM_SITE("__syncwarp"), cudasim::mask_or_all(__VA_ARGS__))
#define __ballot_sync(mask, predicate)                                                             \
    cudasim::warp_ballot(CUDASIM_SITE("__ballot_sync"), (mask), (predicate) != 0)
#define __any_sync(mask, predicate)                                                                \
    (cudasim::warp_ballot(CUDASIM_SITE("__any_sync"), (mask), (predicate) != 0) != 0U)
#define __all_sync(mask, predicate)                                                                \
    (cudasim::warp_ballot(CUDASIM_SITE("__all_sync"), (mask), !(predicate)) == 0U)
#define __shfl_sync(...) cudasim::shuffle(CUDASIM_SITE("__shfl_sync"), __VA_ARGS__)
#define __shfl_xor_sync(...) cudasim::shuffle_xor(CUDASIM_SITE("__shfl_xor_sync"), __VA_ARGS__)
#define __shfl_down_sync(...) cudasim::shuffle_down(CUDASIM_SITE("__shfl_down_sync"), __VA_ARGS__)
#define __shfl_up_sync(...) cudasim::shuffle_up(CUDASIM_SITE("__shfl_up_sync"), __VA_ARGS__)

/* kernels/device.cuh documents these three. */
#define DV_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
    cudasim::launch(#kernel, (kernel), (grid), (block), (shared_bytes), (stream), __VA_ARGS__)
#define DV_SHARED(T, name, count)                                                                  \
    static char name##_key;                                                                        \
    T(&name)                                                                                       \
    [count] = *static_cast<T(*)[count]>(                                                           \
        cudasim::shared_array(&name##_key, #name, sizeof(T) * (count), alignof(T)))
#define DV_DYNAMIC_SHARED(T, name) T *const name = static_cast<T *>(cudasim::dynamic_shared())

/* ---- Atomics. Threads run one at a time, so plain code is atomic ---- */

template <class T> static inline T atomicExch(T *address, T value)
{
    const T old = *address;
    *address = value;
    return old;
}

template <class T> static inline T atomicCAS(T *address, T expected, T value)
{
    const T old = *address;
    *address = old == expected ? value : old;
    return old;
}

/* A device adds in any order, so results must not depend on it. */
template <class T> static inline T atomicAdd(T *address, T value)
{
    static_assert(std::is_integral<T>::value, "a float sum by atomics differs from run to run");
    return atomicExch(address, static_cast<T>(*address + value));
}

template <class T> static inline T atomicMax(T *address, T value)
{
    return atomicExch(address, std::max(*address, value));
}

template <class T> static inline T atomicMin(T *address, T value)
{
    return atomicExch(address, std::min(*address, value));
}

template <class T> static inline T atomicOr(T *address, T value)
{
    return atomicExch(address, static_cast<T>(*address | value));
}

template <class T> static inline T atomicAnd(T *address, T value)
{
    return atomicExch(address, static_cast<T>(*address & value));
}

static inline void __threadfence()
{
}

static inline void __threadfence_block()
{
}

template <class T> static inline T __ldg(const T *address)
{
    return *address;
}

/* ---- Arithmetic ---- */

using std::isfinite;
using std::isinf;
using std::isnan;

/* Macros, because the C library declares functions of these names. */
#define __expf(x) expf(x)
#define __exp2f(x) exp2f(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf((x), (y))
#define __fmaf_rn(x, y, z) fmaf((x), (y), (z))
#define __fsqrt_rn(x) sqrtf(x)

/* min and max of floats ignore a NaN, like a device's. */
template <class T> static inline T min(T a, T b)
{
    if constexpr (std::is_floating_point<T>::value) {
        return std::fmin(a, b);
    } else {
        return b < a ? b : a;
    }
}

template <class T> static inline T max(T a, T b)
{
    if constexpr (std::is_floating_point<T>::value) {
        return std::fmax(a, b);
    } else {
        return a < b ? b : a;
    }
}

static inline float rsqrtf(float x)
{
    return 1.0F / sqrtf(x);
}

static inline float __frsqrt_rn(float x)
{
    return 1.0F / sqrtf(x);
}

static inline float __fdividef(float x, float y)
{
    return x / y;
}

static inline float __fadd_rn(float x, float y)
{
    return x + y;
}

static inline float __fmul_rn(float x, float y)
{
    return x * y;
}

static inline float __saturatef(float x)
{
    return x > 0.0F ? std::fmin(x, 1.0F) : 0.0F;
}

static inline void sincospif(float x, float *sine, float *cosine)
{
    *sine = static_cast<float>(std::sin(3.14159265358979323846 * static_cast<double>(x)));
    *cosine = static_cast<float>(std::cos(3.14159265358979323846 * static_cast<double>(x)));
}

static inline int __float_as_int(float x)
{
    return cudasim::as<int>(x);
}

static inline unsigned __float_as_uint(float x)
{
    return cudasim::as<unsigned>(x);
}

static inline float __int_as_float(int x)
{
    return cudasim::as<float>(x);
}

static inline float __uint_as_float(unsigned x)
{
    return cudasim::as<float>(x);
}

static inline unsigned __umulhi(unsigned x, unsigned y)
{
    return static_cast<unsigned>((static_cast<std::uint64_t>(x) * y) >> 32);
}

static inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

static inline int __clz(int x)
{
    return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}

static inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

#endif
