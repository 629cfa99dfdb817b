/* The rules of batch normalisation: its attributes, its parameters and running statistics, and the
   forward values that backward reads. */
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include "engine/core/graph.h"
#include "engine/ops/activation/activation.h"

static const dv_field fields[] = {
    DV_FLOAT(dv_batchnorm_attr, epsilon, "1e-5", 1e-12, 1, "constant added to the variance"),
    DV_FLOAT(dv_batchnorm_attr, momentum, "0.1", 0, 1,
             "share of the batch in the new running statistics"),
    DV_ENUM(dv_batchnorm_attr, activation, "none", dv_activation_names, "activation of the result"),
    DV_END,
};

static dv_status check_attributes(const dv_node *node)
{
    const dv_batchnorm_attr *attr = node->attr;
    if (!(attr->epsilon > 0))
        return DV_FAIL(DV_EARG, "batchnorm '%s': epsilon is %g, must be above 0", node->name,
                       attr->epsilon);
    if (!(attr->momentum >= 0 && attr->momentum <= 1))
        return DV_FAIL(DV_EARG, "batchnorm '%s': momentum is %g, must be from 0 to 1", node->name,
                       attr->momentum);
    if (attr->activation < 0 || attr->activation >= DV_ACT_COUNT)
        return DV_FAIL(DV_EARG, "batchnorm '%s': there is no activation %d, kinds are 0 to %d",
                       node->name, attr->activation, DV_ACT_COUNT - 1);
    return DV_OK;
}

static dv_status infer(dv_graph *graph, dv_node *node)
{
    DV_TRY(check_attributes(node));
    DV_TRY(dv_node_same_shapes(graph, node));
    node->shape = dv_node_input(graph, node, 0);
    const dv_param_spec specs[] = {
        {.suffix = "weight", .init = DV_INIT_ONE, .trainable = true},
        {.suffix = "bias", .init = DV_INIT_ZERO, .trainable = true},
        {.suffix = "running_mean", .init = DV_INIT_ZERO},
        {.suffix = "running_var", .init = DV_INIT_ONE},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        dv_param_spec spec = specs[i];
        spec.rank = 1;
        spec.dim[0] = node->shape.c;
        DV_TRY(dv_node_param(graph, node, &spec));
    }
    return DV_OK;
}

static unsigned backward_spares(const dv_node *node)
{
    const dv_batchnorm_attr *attr = node->attr;
    return attr->activation != DV_ACT_NONE && dv_activation_from_output(attr->activation)
               ? 0
               : DV_READS_OUTPUT;
}

const dv_op dv_op_batchnorm = {
    .id = DV_OP_batchnorm,
    .name = "batchnorm",
    .inputs_min = 1,
    .inputs_max = 2,
    .attr_size = sizeof(dv_batchnorm_attr),
    .fields = fields,
    .help = "batch normalisation, with a residual to add and an activation",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_INPUT(1) | DV_READS_OUTPUT,
    .backward_spares = backward_spares,
    .write = dv__write_batchnorm,
};
