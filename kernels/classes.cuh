/* Reductions over a row of classes by a warp. */
#ifndef DV_KERNELS_CLASSES_CUH
#define DV_KERNELS_CLASSES_CUH

#include "kernels/index.cuh"

/* The largest logit of a row, in all lanes. It is NaN if the row has a NaN. */
template <class T>
static __device__ __forceinline__ float dv_largest_of(const T *logits, int classes)
{
    float largest = dv_to_float(logits[0]);
    for (int k = dv_lane(); k < classes; k += DV_WARP)
        largest = dv_maximum()(largest, dv_to_float(logits[k]));
    return dv_warp_maximum(largest);
}

/* The sum of the targets of a row, in all lanes. */
static __device__ __forceinline__ float dv_sum_of(const float *targets, int classes)
{
    float sum = 0.0F;
    for (int k = dv_lane(); k < classes; k += DV_WARP)
        sum += targets[k];
    return dv_warp_sum(sum);
}

#endif
