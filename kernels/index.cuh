/* Sizes of grids, and 32-bit indices for kernels that divide them: 64-bit division is slow. */
#ifndef DV_KERNELS_INDEX_CUH
#define DV_KERNELS_INDEX_CUH

#include "kernels/device.cuh"

constexpr int DV_THREADS = 256; /* the usual number of threads of a block */

static inline unsigned dv_divide_up(int64_t a, int64_t b)
{
    return static_cast<unsigned>((a + b - 1) / b);
}

/* Host: whether an int can number the elements and a step beyond them. If not, launchers return
   cudaErrorInvalidValue. */
static inline bool dv_fits(int64_t count)
{
    return count >= 0 && count <= INT32_MAX / 2;
}

/* dv_first and dv_stride for counts that fit. */
static __device__ __forceinline__ int dv_first_int()
{
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

static __device__ __forceinline__ int dv_stride_int()
{
    return static_cast<int>(gridDim.x * blockDim.x);
}

#endif
