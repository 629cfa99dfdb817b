#include "engine/core/graph.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    if (x.c > INT32_MAX)
        return DV_FAIL(DV_ESHAPE, "channel_mean_max '%s': %s has more channels than %d", node->name,
                       dv_shape_format(x).text, INT32_MAX);
    node->shape = (dv_shape){x.n, x.h, x.w, 2};
    return DV_OK;
}

const dv_op dv__op_channel_mean_max = {
    .id = DV_OP_channel_mean_max,
    .name = "channel_mean_max",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "mean and maximum of every position's channels, as two channels",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_OUTPUT,
};
