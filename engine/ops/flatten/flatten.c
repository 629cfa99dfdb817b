/* The rules of flattening: all elements of a sample become channels of one position. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

/* The order is PyTorch's, with channels slowest, so that the weights of a following linear layer
   agree. */
static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    node->shape = (dv_shape){x.n, 1, 1, x.c * x.h * x.w};
    return DV_OK;
}

const dv_op dv_op_flatten = {
    .id = DV_OP_flatten,
    .name = "flatten",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "all values of a sample as one vector, ordered by channel, row, column",
    .infer = infer,
    .write = dv__write_flatten,
};
