/* What the CUDA files of the convolution share: cuda.c plans and runs, by cuDNN (cuda_cudnn.c), as
   a matrix product (cuda_im2col.c) or, depthwise, by kernels of its own. cuda_algorithm.c chooses,
   cuda_measure.c finds the fastest. What nothing else has, slow kernels (kernels/convolution.h)
   compute from the same operands. */
#ifndef DV_OPS_CONV2D_CUDA_CONV2D_H
#define DV_OPS_CONV2D_CUDA_CONV2D_H

#include "engine/gemm/cuda_product.h"
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

/* dv_convolution_algorithm.number: what is none of cuDNN's. */
enum {
    DV_CONVOLUTION_PLAIN = -1, /* by our own kernels */
    DV_CONVOLUTION_IM2COL = -2 /* as a matrix product by cuBLASLt */
};

/* One way to compute a direction. */
typedef struct dv_convolution_algorithm {
    int number;           /* of cuDNN's enumeration of the direction, or one of the above */
    cudnnMathType_t math; /* of cuDNN's */
    size_t workspace;     /* bytes */
} dv_convolution_algorithm;

/* Tensors and filter are of one type, sums in float. */
typedef struct dv_cuda_convolution {
    dv_dtype dtype;
    dv_convolution shape;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution[DV_CONVOLUTION_DIRECTIONS]; /* of its math type */
    dv_cuda_product product[DV_CONVOLUTION_DIRECTIONS]; /* of im2col; zeros: it has none */
    dv_convolution_algorithm algorithm[DV_CONVOLUTION_DIRECTIONS];
} dv_cuda_convolution;

/* Device memory: two of x, w and y are read, `out` is the third. */
typedef struct dv_convolution_operands {
    const void *x, *w, *y;
    void *out, *workspace;
} dv_convolution_operands;

/* ---- cuda_cudnn.c ---- */

/* Describes the step's convolution and chooses its algorithms. Dropped by the caller, also where
   this fails; begins as zeros. */
dv_status dv__cuda_convolution_plan(const dv_node_step *s, dv_cuda_convolution *self);
void dv__cuda_convolution_drop(dv_cuda_convolution *self);

/* By the algorithm of the direction. */
dv_status dv__cuda_convolution_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                                   dv_convolution_direction direction,
                                   const dv_convolution_operands *operands);

/* The workspace that cuDNN's algorithm wants with the math type that the direction's descriptor
   has. False: cuDNN does not have the algorithm for this convolution. */
bool dv__cudnn_workspace(const dv_cuda_device *device, const dv_cuda_convolution *self,
                         dv_convolution_direction direction, int algorithm, size_t *bytes);

/* ---- cuda_im2col.c ---- */

/* Plans the direction's product. *found false: there is none, or it asks for more workspace than a
   library call may; else *bytes is what it asks for. */
dv_status dv__cuda_im2col_plan(const dv_node_step *s, dv_cuda_convolution *self,
                               dv_convolution_direction direction, bool *found, size_t *bytes);
dv_status dv__cuda_im2col_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                              dv_convolution_direction direction,
                              const dv_convolution_operands *operands);

/* ---- cuda_algorithm.c ---- */

enum { DV_CONVOLUTION_CANDIDATES = 17 }; /* sixteen of cuDNN's, and im2col */

typedef struct dv_convolution_candidates {
    dv_convolution_algorithm items[DV_CONVOLUTION_CANDIDATES]; /* the heuristics' first one first */
    int count;
} dv_convolution_candidates;

/* Makes an algorithm the direction's. */
dv_status dv__cuda_convolution_set(dv_cuda_convolution *self, dv_convolution_direction direction,
                                   const dv_convolution_algorithm *algorithm);

/* Sets the algorithm of a direction, as the context's dv_algorithms says: one that has been tried,
   and that can be recorded. DV_CONVOLUTION_PLAIN where there is none. */
dv_status dv__cuda_convolution_choose(const dv_node_step *s, dv_cuda_convolution *self,
                                      dv_convolution_direction direction);

/* ---- cuda_measure.c ---- */

/*
 * Tries the candidates on random operands. *best: the fastest, or with DV_ALGORITHMS_FIXED the
 * first that works; -1 where none does. `times` (size) gets their microseconds as a text, or why
 * one of them does not count. Where the memory for it is lacking nothing is tried, and the first is
 * taken.
 */
dv_status dv__cuda_convolution_measure(const dv_node_step *s, dv_cuda_convolution *self,
                                       dv_convolution_direction direction,
                                       const dv_convolution_candidates *list, int *best,
                                       char *times, size_t size);

#endif
