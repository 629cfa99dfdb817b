/*
 * A kernel that ends with a sum over what its blocks have written: the block that is the last to
 * finish makes it, in an order of its own, so that the result does not depend on which one it is.
 */
#ifndef DV_KERNELS_LAST_BLOCK_CUH
#define DV_KERNELS_LAST_BLOCK_CUH

#include "kernels/device.cuh"

/*
 * True in all threads of the last block of the grid to call this, which sees what all blocks have
 * written before. All threads of the block call it. *ticket, in device memory, is 0 before the
 * launch and is so again after it.
 */
static __device__ __forceinline__ bool dv_last_block(unsigned *ticket)
{
    DV_SHARED(int, last, 1);
    __threadfence(); /* what this thread has written comes before the ticket */
    __syncthreads();
    if (threadIdx.x == 0) {
        last[0] = atomicAdd(ticket, 1U) == gridDim.x - 1;
        if (last[0] != 0)
            *ticket = 0;
    }
    __syncthreads();
    __threadfence(); /* what is read from here on comes after it */
    return last[0] != 0;
}

#endif
