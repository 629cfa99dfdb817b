/* Included by the CUDA implementations: cuDNN, cuBLASLt and the launchers of kernels/ on one
   stream. */
#ifndef DV_OPS_CUDA_H
#define DV_OPS_CUDA_H

#include "engine/core/graph.h"
#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"

#define DV_OP(name) extern const dv_impl dv_##name##_cuda;
#include "engine/ops/ops.def"
#undef DV_OP

#endif
