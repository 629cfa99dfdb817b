/* The three matrix products of a fully connected layer on a CUDA device. A 1x1 convolution has the
   same ones. The weight keeps PyTorch's order (out, in). */
#ifndef DV_GEMM_CUDA_DENSE_H
#define DV_GEMM_CUDA_DENSE_H

#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"

typedef struct dv_cuda_dense dv_cuda_dense;

typedef struct dv_cuda_dense_layer {
    int64_t units; /* outputs */
    bool bias;
    int activation; /* a dv_activation_kind whose derivative is a function of the output */
} dv_cuda_dense_layer;

/*
 * Plans the products of a step with one input and the parameters weight and, if the layer has one,
 * bias. Requests the step's scratch. `layer` is copied; the caller drops *out. Fails with
 * DV_EUNSUPPORTED if cuBLASLt has no such product.
 */
dv_status dv_cuda_dense_plan(dv_planner *planner, const dv_node_step *s,
                             const dv_cuda_dense_layer *layer, dv_cuda_dense **out);
/* The same with plain kernels, which are slow but support all cases. */
dv_status dv_cuda_dense_plan_plain(dv_planner *planner, const dv_node_step *s,
                                   const dv_cuda_dense_layer *layer, dv_cuda_dense **out);
void dv_cuda_dense_drop(dv_cuda_dense *self);

dv_status dv_cuda_dense_forward(const dv_node_step *s, dv_cuda_dense *self);
dv_status dv_cuda_dense_backward(const dv_node_step *s, const dv_cuda_dense *self);

#endif
