/* An INT8 linear layer on the CPU, for inference; see cpu.c. */
#ifndef DV_OPS_LINEAR_CPU_INT8_H
#define DV_OPS_LINEAR_CPU_INT8_H

#include "engine/core/op.h"

extern const dv_impl dv__linear_int8;

#endif
