/* The rules of the mean over all positions: the output has one position. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    node->shape = (dv_shape){x.n, 1, 1, x.c};
    return DV_OK;
}

const dv_op dv_op_global_avgpool = {
    .id = DV_OP_global_avgpool,
    .name = "global_avgpool",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "mean of every channel over all positions",
    .infer = infer,
    .write = dv__write_global_avgpool,
};
