/* The table of the operations, and lookups by number and by name. */
#include "engine/ops/ops.h"

#include <string.h>

static const dv_op *const ops[DV_OP_COUNT] = {
#define DV_OP(name) [DV_OP_##name] = &dv_op_##name,
#include "engine/ops/ops.def"
#undef DV_OP
};

const dv_op *dv_op_get(dv_op_id id)
{
    return ops[id];
}

const dv_op *dv_op_find(const char *name)
{
    for (int id = 0; id < DV_OP_COUNT; id++) {
        if (strcmp(ops[id]->name, name) == 0)
            return ops[id];
    }
    return NULL;
}
