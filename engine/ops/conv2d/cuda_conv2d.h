/* Declarations shared by the CUDA files of the convolution. cuda.c plans and runs it by cuDNN
   (cuda_cudnn.c), as a matrix product (cuda_im2col.c), or, if depthwise, by kernels of its own.
   cuda_algorithm.c chooses the algorithm, and cuda_measure.c finds the fastest. Slow kernels
   (kernels/convolution.h) compute all other cases from the same operands. */
#ifndef DV_OPS_CONV2D_CUDA_CONV2D_H
#define DV_OPS_CONV2D_CUDA_CONV2D_H

#include "engine/gemm/cuda_product.h"
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/cuda.h"
#include "kernels/convolution.h"

/* The direction of a convolution: it writes y, dx or dw. */
typedef enum dv_convolution_direction {
    DV_CONVOLUTION_FORWARD,
    DV_CONVOLUTION_DATA,
    DV_CONVOLUTION_WEIGHTS,
    DV_CONVOLUTION_DIRECTIONS
} dv_convolution_direction;

/* Values of dv_convolution_algorithm.number that are not cuDNN's. */
enum {
    DV_CONVOLUTION_PLAIN = -1, /* our own kernels */
    DV_CONVOLUTION_IM2COL = -2 /* a matrix product by cuBLASLt */
};

/* An algorithm for one direction. */
typedef struct dv_convolution_algorithm {
    int number;           /* a number of cuDNN's enumeration for the direction, or one of these */
    cudnnMathType_t math; /* math type of a cuDNN algorithm */
    size_t workspace;     /* bytes */
} dv_convolution_algorithm;

/* A planned convolution. Tensors and filter have one type, and sums are in float. */
typedef struct dv_cuda_convolution {
    dv_dtype dtype;
    dv_convolution shape;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution[DV_CONVOLUTION_DIRECTIONS]; /* has the math type */
    dv_cuda_product product[DV_CONVOLUTION_DIRECTIONS]; /* product of im2col, or zeros */
    dv_convolution_algorithm algorithm[DV_CONVOLUTION_DIRECTIONS];
} dv_cuda_convolution;

/* Device memory of a run. Two of x, w and y are read; `out` is the third. */
typedef struct dv_convolution_operands {
    const void *x, *w, *y;
    void *out, *workspace;
} dv_convolution_operands;

/* ---- cuda_cudnn.c ---- */

/* Describes the step's convolution and chooses its algorithms. `self` is zeroed before. The caller
   drops it, also on failure. */
dv_status dv__cuda_convolution_plan(const dv_node_step *s, dv_cuda_convolution *self);
void dv__cuda_convolution_drop(dv_cuda_convolution *self);

/* Runs a direction with its algorithm. */
dv_status dv__cuda_convolution_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                                   dv_convolution_direction direction,
                                   const dv_convolution_operands *operands);

/* The workspace of cuDNN's algorithm with the math type of the direction's descriptor. Returns
   false if cuDNN does not have the algorithm for this convolution. */
bool dv__cudnn_workspace(const dv_cuda_device *device, const dv_cuda_convolution *self,
                         dv_convolution_direction direction, int algorithm, size_t *bytes);

/* ---- cuda_im2col.c ---- */

/* Plans the direction's product. *found is false if there is none, or if it needs more workspace
   than a library call may have. Otherwise *bytes is its workspace. */
dv_status dv__cuda_im2col_plan(const dv_node_step *s, dv_cuda_convolution *self,
                               dv_convolution_direction direction, bool *found, size_t *bytes);
dv_status dv__cuda_im2col_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                              dv_convolution_direction direction,
                              const dv_convolution_operands *operands);

/* ---- cuda_algorithm.c ---- */

enum { DV_CONVOLUTION_CANDIDATES = 17 }; /* sixteen of cuDNN, and im2col */

typedef struct dv_convolution_candidates {
    dv_convolution_algorithm items[DV_CONVOLUTION_CANDIDATES]; /* in the heuristics' order */
    int count;
} dv_convolution_candidates;

/* Sets the algorithm of a direction. */
dv_status dv__cuda_convolution_set(dv_cuda_convolution *self, dv_convolution_direction direction,
                                   const dv_convolution_algorithm *algorithm);

/* Chooses and sets the algorithm of a direction by the context's dv_algorithms. It has been tried
   and can be recorded. If there is none, it is DV_CONVOLUTION_PLAIN. */
dv_status dv__cuda_convolution_choose(const dv_node_step *s, dv_cuda_convolution *self,
                                      dv_convolution_direction direction);

/* ---- cuda_measure.c ---- */

/*
 * Tries the candidates on random operands. *best is the fastest candidate, or with
 * DV_ALGORITHMS_FIXED the first that works, or -1 if none works. `times` (size) receives, as text,
 * the microseconds of each candidate or the reason for leaving it out. Without enough memory
 * nothing is tried, and the first candidate is taken.
 */
dv_status dv__cuda_convolution_measure(const dv_node_step *s, dv_cuda_convolution *self,
                                       dv_convolution_direction direction,
                                       const dv_convolution_candidates *list, int *best,
                                       char *times, size_t size);

#endif
