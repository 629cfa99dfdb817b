/*
 * For the reference implementations: plain C loops over `real`, sums in double. The same sources
 * are compiled twice: with float for the backend `ref`, and with double for the tests (`ref64`),
 * where finite differences need it.
 */
#ifndef DV_OPS_REF_H
#define DV_OPS_REF_H

#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/core/plan.h"

#ifdef DV_REF64
typedef double real;
#define DV_REF(name) dv__##name##_ref64
#else
typedef float real;
#define DV_REF(name) dv__##name##_ref
#endif

#define DV_OP(name) extern const dv_impl DV_REF(name);
#include "engine/ops/ops.def"
#undef DV_OP
extern const dv_optimizer_impl DV_REF(optimizer);

#endif
