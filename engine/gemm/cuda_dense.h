/* The three matrix products of a fully connected layer on a CUDA device, which are those of a 1x1
   convolution too. The weight keeps PyTorch's order (out, in). */
#ifndef DV_GEMM_CUDA_DENSE_H
#define DV_GEMM_CUDA_DENSE_H

#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"

typedef struct dv_cuda_dense dv_cuda_dense;

typedef struct dv_cuda_dense_layer {
    int64_t units; /* outputs */
    bool bias;
    int activation; /* dv_activation_kind whose derivative follows from the output */
} dv_cuda_dense_layer;

/*
 * For a step with one input, whose parameters are weight and, where the layer has one, bias. Asks
 * for the step's scratch. DV_EUNSUPPORTED: cuBLASLt has no such product. `layer` is copied; what is
 * planned is dropped by the caller.
 */
dv_status dv_cuda_dense_plan(dv_planner *planner, const dv_node_step *s,
                             const dv_cuda_dense_layer *layer, dv_cuda_dense **out);
/* The same by plain kernels, which are slow and compute all there is. */
dv_status dv_cuda_dense_plan_plain(dv_planner *planner, const dv_node_step *s,
                                   const dv_cuda_dense_layer *layer, dv_cuda_dense **out);
void dv_cuda_dense_drop(dv_cuda_dense *self);

dv_status dv_cuda_dense_forward(const dv_node_step *s, dv_cuda_dense *self);
dv_status dv_cuda_dense_backward(const dv_node_step *s, const dv_cuda_dense *self);

#endif
