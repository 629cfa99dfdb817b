#include "engine/core/graph.h"

/* dv_graph_input sets the shape. */
static dv_status infer(dv_graph *graph, dv_node *node)
{
    (void)graph;
    (void)node;
    return DV_OK;
}

const dv_op dv__op_input = {
    .id = DV_OP_input,
    .name = "input",
    .help = "a value from outside",
    .infer = infer,
};
