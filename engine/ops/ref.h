/* Included by the reference implementations, which define the right results. */
#ifndef DV_OPS_REF_H
#define DV_OPS_REF_H

#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/core/plan.h"
#include "engine/device/ref.h"

#define DV_OP(name) extern const dv_impl DV_REF(name);
#include "engine/ops/ops.def"
#undef DV_OP

#endif
