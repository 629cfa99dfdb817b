/*
 * A sum over the results of a kernel's blocks. The block that finishes last adds them up in a fixed
 * order, so that the result does not depend on which block it is.
 */
#ifndef DV_KERNELS_LAST_BLOCK_CUH
#define DV_KERNELS_LAST_BLOCK_CUH

#include "kernels/device.cuh"

/*
 * True in all threads of the last block of the grid that calls it. This block sees everything that
 * other blocks wrote before their calls. All threads of each block call it. *ticket, in device
 * memory, is 0 before and after the launch.
 */
static __device__ __forceinline__ bool dv_last_block(unsigned *ticket)
{
    DV_SHARED(int, last, 1);
    __threadfence(); /* orders this thread's writes before the ticket */
    __syncthreads();
    if (threadIdx.x == 0) {
        last[0] = atomicAdd(ticket, 1U) == gridDim.x - 1;
        if (last[0] != 0)
            *ticket = 0;
    }
    __syncthreads();
    __threadfence(); /* orders this thread's reads after the ticket */
    return last[0] != 0;
}

#endif
