/* A linear layer by oneDNN's matrix products, with the weight in PyTorch's order; see cpu.c. */
#ifndef DV_OPS_LINEAR_CPU_TRAINED_H
#define DV_OPS_LINEAR_CPU_TRAINED_H

#include "engine/core/op.h"

extern const dv_impl dv__linear_dense;

#endif
