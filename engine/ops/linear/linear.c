/* The rules of a linear layer: its attributes, the activations that it can apply itself, and its
   parameters. */
#include "engine/ops/linear/linear.h"
#include "engine/core/graph.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

static const dv_field fields[] = {
    DV_INT(dv_linear_attr, units, DV_REQUIRED, 1, DV_LINEAR_MOST_UNITS, "output channels"),
    DV_BOOL(dv_linear_attr, bias, "true", "add a bias"),
    DV_ENUM(dv_linear_attr, activation, "none", dv_activation_names,
            "activation of the result: none, relu, sigmoid or tanh"),
    DV_END,
};

static dv_status check(const dv_node *node, dv_shape x)
{
    const dv_linear_attr *attr = node->attr;
    if (attr->units < 1)
        return DV_FAIL(DV_EARG, "linear '%s': input %s: %" PRId64 " units, must be at least 1",
                       node->name, dv_shape_format(x).text, attr->units);
    if (attr->activation < 0 || attr->activation >= DV_ACT_COUNT)
        return DV_FAIL(DV_EARG, "linear '%s': there is no activation %d", node->name,
                       attr->activation);
    if (!dv_activation_from_output(attr->activation))
        return DV_FAIL(DV_EARG,
                       "linear '%s': activation %s cannot be part of a linear layer (none, relu, "
                       "sigmoid and tanh can): put an activation layer behind it",
                       node->name, dv_activation_names[attr->activation]);
    return DV_OK;
}

/* Checks the attributes, sets the output's shape and declares the parameters. The weight is
   initialised by DV_INIT_KAIMING for a ReLU, otherwise by DV_INIT_XAVIER. */
static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_linear_attr *attr = node->attr;
    dv_shape x = dv_node_input(graph, node, 0);
    DV_TRY(check(node, x));
    node->shape = (dv_shape){x.n, x.h, x.w, attr->units};
    dv_param_spec weight = {
        .suffix = "weight",
        .rank = 2,
        .dim = {attr->units, x.c},
        .init = attr->activation == DV_ACT_RELU ? DV_INIT_KAIMING : DV_INIT_XAVIER,
        .decay = true,
        .trainable = true,
    };
    DV_TRY(dv_node_param(graph, node, &weight));
    dv_param_spec bias = {
        .suffix = "bias", .rank = 1, .dim = {attr->units}, .init = DV_INIT_ZERO, .trainable = true};
    if (attr->bias)
        DV_TRY(dv_node_param(graph, node, &bias));
    if (dv_dtype_scaled(node->type.dtype)) /* the output is not scaled */
        node->type = (dv_type){.dtype = graph->params->precision.values};
    return DV_OK;
}

static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    return dv_shape_count(node->shape) * dv_node_input(graph, node, 0).c;
}

static unsigned backward_spares(const dv_node *node)
{
    const dv_linear_attr *attr = node->attr;
    return attr->activation == DV_ACT_NONE ? DV_READS_OUTPUT : 0;
}

bool dv__linear_is_int8(const dv_node_step *step)
{
    return step->x_type[0].dtype == DV_I8 && step->w_type[0] == DV_I8 &&
           step->node->type.dtype == DV_F32 && step->in[0].c <= DV_LINEAR_MOST_INT8;
}

const dv_op dv_op_linear = {
    .id = DV_OP_linear,
    .name = "linear",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_linear_attr),
    .fields = fields,
    .help = "fully connected: every position's channels by themselves",
    .infer = infer,
    .macs = macs,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_OUTPUT,
    .backward_spares = backward_spares,
    .write = dv__write_linear,
};
