/* The rules of positions: the input is a sequence, and the output has its shape. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    if (x.h != 1)
        return DV_FAIL(DV_ESHAPE,
                       "positions '%s': input %s is not a sequence (N, 1, T, C): put `frames` in "
                       "front of it",
                       node->name, dv_shape_format(x).text);
    node->shape = x;
    return DV_OK;
}

const dv_op dv_op_positions = {
    .id = DV_OP_positions,
    .name = "positions",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "adds sinusoidal positions to a sequence",
    .infer = infer,
    .write = dv__write_positions,
};
