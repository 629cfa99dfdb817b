/* Included by the CPU implementations: oneDNN and OpenMP over float. */
#ifndef DV_OPS_CPU_H
#define DV_OPS_CPU_H

#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/core/plan.h"
#include "engine/device/cpu.h"

#define DV_OP(name) extern const dv_impl dv_##name##_cpu;
#include "engine/ops/ops.def"
#undef DV_OP

#endif
