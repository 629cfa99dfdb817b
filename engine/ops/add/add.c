/* The rules of addition: two inputs and an output of one shape. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    DV_TRY(dv_node_same_shapes(graph, node));
    node->shape = dv_node_input(graph, node, 0);
    return DV_OK;
}

const dv_op dv_op_add = {
    .id = DV_OP_add,
    .name = "add",
    .inputs_min = 2,
    .inputs_max = 2,
    .help = "sum of two tensors of one shape",
    .infer = infer,
    .write = dv__write_add,
};
