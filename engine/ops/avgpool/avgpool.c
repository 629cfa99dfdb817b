/* The rules of mean pooling. The attributes and the check of shapes are those of maxpool. */
#include "engine/core/graph.h"
#include "engine/ops/maxpool/maxpool.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

const dv_op dv_op_avgpool = {
    .id = DV_OP_avgpool,
    .name = "avgpool",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_pool_attr),
    .fields = dv__pool_fields,
    .help = "mean over windows; padding counts as zeros",
    .infer = dv__pool_infer,
    .write = dv__write_avgpool,
};
