/* Squeeze and excitation on the CPU with a backward pass, and weights in PyTorch's order. */
#ifndef DV_OPS_SQUEEZE_EXCITE_CPU_TRAINED_H
#define DV_OPS_SQUEEZE_EXCITE_CPU_TRAINED_H

#include "engine/core/op.h"

extern const dv_impl dv__squeeze_excite_trained;

#endif
