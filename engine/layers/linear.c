/* The layer `linear`: the operation of the same name, with any activation. */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"

static const dv_field fields[] = {
    DV_INT(dv_linear_attr, units, DV_REQUIRED, 1, DV_LINEAR_MOST_UNITS,
           "output channels, or the word classes for the number of labels"),
    DV_BOOL(dv_linear_attr, bias, "true", "add a bias"),
    DV_ENUM(dv_linear_attr, activation, "none", dv_activation_names, "activation of the result"),
    DV_END,
};

/* The operation fuses activations whose derivative is a function of the output. Other activations
   are a node of their own. */
static dv_status build(dv_graph *graph, const char *name, const void *attr, int *value)
{
    dv_linear_attr linear = *(const dv_linear_attr *)attr;
    int activation = linear.activation;
    if (!dv_activation_from_output(activation))
        linear.activation = DV_ACT_NONE;
    DV_TRY(dv_graph_add(graph, &dv_op_linear, name, &linear, value, 1, value));
    if (linear.activation == activation)
        return DV_OK;
    return dv__build_activation(graph, name, activation, value);
}

const dv_layer dv__layer_linear = {
    .name = "linear",
    .help = "fully connected layer over the channels",
    .attr_size = sizeof(dv_linear_attr),
    .fields = fields,
    .build = build,
};
