/* What the CUDA files of the convolution share: cuda.c plans and runs, by cuDNN (cuda_cudnn.c,
   cuda_algorithm.c) or, depthwise, by kernels of its own. What cuDNN does not have, slow kernels
   (kernels/convolution.h) compute from the same operands. */
#ifndef DV_OPS_CONV2D_CUDA_CONV2D_H
#define DV_OPS_CONV2D_CUDA_CONV2D_H

#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/cuda.h"
#include "kernels/convolution.h"

/* Which of y, dx and dw is written. */
typedef enum dv_convolution_direction {
    DV_CONVOLUTION_FORWARD,
    DV_CONVOLUTION_DATA,
    DV_CONVOLUTION_WEIGHTS,
    DV_CONVOLUTION_DIRECTIONS
} dv_convolution_direction;

enum { DV_CUDNN_NONE = -1 }; /* dv_cudnn_algorithm.number: by our own kernels */

/* One of cuDNN's ways to compute a direction. */
typedef struct dv_cudnn_algorithm {
    int number; /* of the direction's enumeration, or DV_CUDNN_NONE */
    cudnnMathType_t math;
    size_t workspace; /* bytes */
} dv_cudnn_algorithm;

/* Tensors and filter are in the context's dtype, sums in float. */
typedef struct dv_cudnn_convolution {
    dv_dtype dtype;
    dv_convolution shape;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution[DV_CONVOLUTION_DIRECTIONS]; /* of its math type */
    dv_cudnn_algorithm algorithm[DV_CONVOLUTION_DIRECTIONS];
} dv_cudnn_convolution;

/* Device memory: two of x, w and y are read, `out` is the third. */
typedef struct dv_convolution_operands {
    const void *x, *w, *y;
    void *out, *workspace;
} dv_convolution_operands;

/* Describes the step's convolution and chooses its algorithms. Dropped by the caller, also where
   this fails; begins as zeros. */
dv_status dv__cudnn_convolution_plan(const dv_step *s, dv_cudnn_convolution *self);
void dv__cudnn_convolution_drop(dv_cudnn_convolution *self);

/* By the algorithm of the direction. */
dv_status dv__cudnn_convolution_run(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                                    dv_convolution_direction direction,
                                    const dv_convolution_operands *operands);

/* The workspace that the algorithm wants with the math type that the direction's descriptor has.
   False: cuDNN does not have the algorithm for this convolution. */
bool dv__cudnn_convolution_workspace(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                                     dv_convolution_direction direction, int algorithm,
                                     size_t *bytes);

/* Sets the math type and the algorithm of a direction, as the context's dv_algorithms says: one
   that has been tried. DV_CUDNN_NONE where there is none. */
dv_status dv__cudnn_choose(const dv_step *s, dv_cudnn_convolution *self,
                           dv_convolution_direction direction);

#endif
