#include "engine/core/graph.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0), gate = dv_node_input(graph, node, 1);
    dv_shape expected = {x.n, x.h, x.w, 1};
    if (!dv_shape_equal(gate, expected))
        return DV_FAIL(DV_ESHAPE, "spatial_scale '%s': the gate has shape %s, for %s it must be %s",
                       node->name, dv_shape_format(gate).text, dv_shape_format(x).text,
                       dv_shape_format(expected).text);
    node->shape = x;
    return DV_OK;
}

const dv_op dv__op_spatial_scale = {
    .id = DV_OP_spatial_scale,
    .name = "spatial_scale",
    .inputs_min = 2,
    .inputs_max = 2,
    .help = "multiplies all channels of every position by its gate",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_INPUT(1),
};
