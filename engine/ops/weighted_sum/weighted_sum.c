/* The rules of the weighted sum: inputs of one shape, and a weight for each input. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    DV_TRY(dv_node_same_shapes(graph, node));
    node->shape = dv_node_input(graph, node, 0);
    dv_param_spec weight = {.suffix = "weight",
                            .rank = 1,
                            .dim = {node->input_count},
                            .init = DV_INIT_ZERO,
                            .trainable = true};
    return dv_node_param(graph, node, &weight);
}

static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    (void)graph;
    return node->input_count * dv_shape_count(node->shape);
}

/*
 * y = sum_k share_k x_k, with share = softmax(weight) and weight (inputs). There is no weight
 * decay, because the shares should not return to the equal ones at the start.
 */
const dv_op dv_op_weighted_sum = {
    .id = DV_OP_weighted_sum,
    .name = "weighted_sum",
    .inputs_min = 2,
    .inputs_max = DV_MAX_INPUTS,
    .help = "sum of tensors of one shape, each with a learnable share",
    .infer = infer,
    .macs = macs,
    .backward_reads = (1U << DV_MAX_INPUTS) - 1,
    .write = dv__write_weighted_sum,
};
