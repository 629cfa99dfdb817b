/* The rules of the maximum over all positions: the output has one position, and an int32 must hold
   the position of each maximum. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    if (x.h * x.w > INT32_MAX)
        return DV_FAIL(DV_ESHAPE, "global_maxpool '%s': %s has more positions than %d", node->name,
                       dv_shape_format(x).text, INT32_MAX);
    node->shape = (dv_shape){x.n, 1, 1, x.c};
    return DV_OK;
}

const dv_op dv_op_global_maxpool = {
    .id = DV_OP_global_maxpool,
    .name = "global_maxpool",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "maximum of every channel over all positions",
    .infer = infer,
    .write = dv__write_global_maxpool,
};
