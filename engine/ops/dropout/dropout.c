/* The rules of dropout: its rate, and a limit on the elements because indices of random words have
   32 bits. */
#include "engine/ops/dropout/dropout.h"
#include "engine/ops/ops.h"

#include "engine/core/graph.h"

static const dv_field fields[] = {
    DV_FLOAT(dv_dropout_attr, rate, "0.5", 0, 0.99, "share that is set to zero"),
    DV_BOOL(dv_dropout_attr, channels, "false", "drop whole channels of a sample"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_dropout_attr *attr = node->attr;
    if (!(attr->rate >= 0 && attr->rate < 1))
        return DV_FAIL(DV_EARG, "dropout '%s': the rate is %g, must be at least 0 and below 1",
                       node->name, attr->rate);
    node->shape = dv_node_input(graph, node, 0);
    /* A random index has 32 bits and serves four elements. */
    if (dv_shape_count(node->shape) / 4 > UINT32_MAX)
        return DV_FAIL(DV_ESHAPE, "dropout '%s': %s has more elements than 2^34", node->name,
                       dv_shape_format(node->shape).text);
    return DV_OK;
}

const dv_op dv_op_dropout = {
    .id = DV_OP_dropout,
    .name = "dropout",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_dropout_attr),
    .fields = fields,
    .help = "sets a random share to zero in training and scales up the rest",
    .infer = infer,
    .training_only = true,
};
