/* The rules of squeeze and excitation: its attributes, and the parameters of its two linear
   layers. */
#include "engine/ops/squeeze_excite/squeeze_excite.h"
#include "engine/core/graph.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

static const dv_field fields[] = {
    DV_INT(dv_squeeze_excite_attr, reduction, "16", 1, 1024, "channels per middle unit"),
    DV_ENUM(dv_squeeze_excite_attr, activation, "relu", dv_activation_names,
            "activation of the middle units"),
    DV_INT(dv_squeeze_excite_attr, units, "0", 0, 65536,
           "number of middle units; 0 takes channels / reduction"),
    DV_END,
};

static dv_status check(const dv_node *node)
{
    const dv_squeeze_excite_attr *attr = node->attr;
    if (attr->reduction < 1)
        return DV_FAIL(DV_EARG, "squeeze_excite '%s': reduction %" PRId64 ", must be at least 1",
                       node->name, attr->reduction);
    if (attr->units < 0)
        return DV_FAIL(DV_EARG, "squeeze_excite '%s': units %" PRId64 ", must not be negative",
                       node->name, attr->units);
    if (attr->activation < 0 || attr->activation >= DV_ACT_COUNT)
        return DV_FAIL(DV_EARG, "squeeze_excite '%s': there is no activation %d", node->name,
                       attr->activation);
    return DV_OK;
}

/* Declares the parameters of a fully connected layer. */
static dv_status declare(dv_graph *graph, dv_node *node, const char *const suffixes[2],
                         const int64_t dim[2], dv_init init)
{
    dv_param_spec weight = {.suffix = suffixes[0],
                            .rank = 2,
                            .dim = {dim[0], dim[1]},
                            .init = init,
                            .decay = true,
                            .trainable = true};
    DV_TRY(dv_node_param(graph, node, &weight));
    dv_param_spec bias = {
        .suffix = suffixes[1], .rank = 1, .dim = {dim[0]}, .init = DV_INIT_ZERO, .trainable = true};
    return dv_node_param(graph, node, &bias);
}

static dv_status infer(dv_graph *graph, dv_node *node)
{
    DV_TRY(check(node));
    const dv_squeeze_excite_attr *attr = node->attr;
    dv_shape x = dv_node_input(graph, node, 0);
    int64_t middle = dv_squeeze_excite_middle(attr, x.c);
    static const char *const reduce[2] = {"reduce.weight", "reduce.bias"};
    static const char *const expand[2] = {"expand.weight", "expand.bias"};
    node->shape = x;
    DV_TRY(declare(graph, node, reduce, (const int64_t[]){middle, x.c},
                   attr->activation == DV_ACT_RELU ? DV_INIT_KAIMING : DV_INIT_XAVIER));
    return declare(graph, node, expand, (const int64_t[]){x.c, middle}, DV_INIT_XAVIER);
}

/* The multiply-adds of both products. */
static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    return 2 * x.n * x.c * dv_squeeze_excite_middle(node->attr, x.c);
}

const dv_op dv_op_squeeze_excite = {
    .id = DV_OP_squeeze_excite,
    .name = "squeeze_excite",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_squeeze_excite_attr),
    .fields = fields,
    .help = "scales each channel by a gate computed from all channels' means",
    .infer = infer,
    .macs = macs,
    .backward_reads = DV_READS_INPUT(0),
    .write = dv__write_squeeze_excite,
};
