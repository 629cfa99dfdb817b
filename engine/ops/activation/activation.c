/* The rules of activations: the names of the functions, and the forward values that backward
   reads. */
#include "engine/ops/activation/activation.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include "engine/core/graph.h"

const char *const dv_activation_names[] = {
    [DV_ACT_NONE] = "none",           [DV_ACT_RELU] = "relu", [DV_ACT_SIGMOID] = "sigmoid",
    [DV_ACT_TANH] = "tanh",           [DV_ACT_SILU] = "silu", [DV_ACT_GELU] = "gelu",
    [DV_ACT_HARDSWISH] = "hardswish", [DV_ACT_COUNT] = NULL,
};

static const dv_field fields[] = {
    DV_ENUM(dv_activation_attr, kind, DV_REQUIRED, dv_activation_names, "activation function"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_activation_attr *attr = node->attr;
    if (attr->kind < 0 || attr->kind >= DV_ACT_COUNT)
        return DV_FAIL(DV_EARG, "activation '%s': there is no kind %d, kinds are 0 to %d",
                       node->name, attr->kind, DV_ACT_COUNT - 1);
    node->shape = dv_node_input(graph, node, 0);
    return DV_OK;
}

/* Backward needs the output only if the slope is a function of it. */
static unsigned backward_spares(const dv_node *node)
{
    const dv_activation_attr *attr = node->attr;
    return dv_activation_from_output(attr->kind) ? 0 : DV_READS_OUTPUT;
}

const dv_op dv_op_activation = {
    .id = DV_OP_activation,
    .name = "activation",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_activation_attr),
    .fields = fields,
    .help = "activation function, element by element",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_OUTPUT,
    .backward_spares = backward_spares,
    .write = dv__write_activation,
};
