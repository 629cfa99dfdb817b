/* The list of all operations, by number and by name. */
#ifndef DV_OPS_H
#define DV_OPS_H

#include "engine/core/op.h"

/* Indices into the backends' tables. */
typedef enum dv_op_id {
#define DV_OP(name) DV_OP_##name,
#include "engine/ops/ops.def"
#undef DV_OP
    DV_OP_COUNT
} dv_op_id;

#define DV_OP(name) extern const dv_op dv_op_##name;
#include "engine/ops/ops.def"
#undef DV_OP

const dv_op *dv_op_get(dv_op_id id);
const dv_op *dv_op_find(const char *name); /* NULL for an unknown name */

#endif
