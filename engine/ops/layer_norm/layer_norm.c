/* The rules of layer normalisation: its epsilon, and a weight and a bias for each channel. */
#include "engine/ops/layer_norm/layer_norm.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include "engine/core/graph.h"

static const dv_field fields[] = {
    DV_FLOAT(dv_layer_norm_attr, epsilon, "1e-5", 1e-12, 1, "constant added to the variance"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_layer_norm_attr *attr = node->attr;
    if (!(attr->epsilon > 0))
        return DV_FAIL(DV_EARG, "layer_norm '%s': epsilon is %g, must be above 0", node->name,
                       attr->epsilon);
    node->shape = dv_node_input(graph, node, 0);
    const dv_param_spec specs[] = {
        {.suffix = "weight", .init = DV_INIT_ONE, .trainable = true},
        {.suffix = "bias", .init = DV_INIT_ZERO, .trainable = true},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        dv_param_spec spec = specs[i];
        spec.rank = 1;
        spec.dim[0] = node->shape.c;
        DV_TRY(dv_node_param(graph, node, &spec));
    }
    return DV_OK;
}

const dv_op dv_op_layer_norm = {
    .id = DV_OP_layer_norm,
    .name = "layer_norm",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_layer_norm_attr),
    .fields = fields,
    .help = "layer normalisation: every position's channels by themselves",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0),
    .write = dv__write_layer_norm,
};
