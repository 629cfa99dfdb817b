/* Shared by maxpool and avgpool on CUDA. */
#ifndef DV_OPS_MAXPOOL_CUDA_H
#define DV_OPS_MAXPOOL_CUDA_H

#include "engine/ops/cuda.h"
#include "engine/ops/maxpool/maxpool.h"
#include "kernels/pool.h"

static inline dv_pool dv__cuda_pool(const dv_node_step *s)
{
    const dv_pool_attr *attr = s->node->attr;
    dv_shape in = s->in[0], out = s->node->shape;
    return (dv_pool){
        .samples = in.n,
        .channels = in.c,
        .in = {in.h, in.w},
        .out = {out.h, out.w},
        .kernel = {attr->kernel[0], attr->kernel[1]},
        .stride = {attr->stride[0], attr->stride[1]},
        .padding = {attr->padding[0], attr->padding[1]},
    };
}

#endif
