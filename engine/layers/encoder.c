/* Transformer encoder layers (Vaswani et al. 2017). The norms come first in each part, which trains
   without a special schedule for the first steps (Xiong et al. 2020). A norm after the last layer
   is left to the model. */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/attention/attention.h"
#include "engine/ops/dropout/dropout.h"
#include "engine/ops/layer_norm/layer_norm.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"

#include <inttypes.h>

typedef struct encoder_attr {
    int64_t units, heads, feed_forward, layers;
    double dropout;
    int activation;
} encoder_attr;

static const dv_field fields[] = {
    DV_INT(encoder_attr, units, DV_REQUIRED, 1, 65536, "channels, as many as the input has"),
    DV_INT(encoder_attr, heads, DV_REQUIRED, 1, 64,
           "number of attention heads, a divisor of units"),
    DV_INT(encoder_attr, feed_forward, DV_REQUIRED, 1, 65536,
           "middle units of the feed-forward part"),
    DV_INT(encoder_attr, layers, "1", 1, 1024, "number of layers, one behind the other"),
    DV_FLOAT(encoder_attr, dropout, "0.1", 0, 0.99,
             "share that dropout sets to zero, in three places of a layer"),
    DV_ENUM(encoder_attr, activation, "gelu", dv_activation_names,
            "activation in the feed-forward part"),
    DV_END,
};

static dv_status build_norm(dv_graph *graph, const char *prefix, const char *suffix, int *value)
{
    char name[DV_NAME_SIZE];
    dv_layer_norm_attr attr;
    DV_TRY(dv_fields_default(dv_op_layer_norm.fields, &attr));
    DV_TRY(dv__layer_name(name, prefix, suffix));
    return dv_graph_add(graph, &dv_op_layer_norm, name, &attr, value, 1, value);
}

/* Builds a linear layer with its activation, as the layer `linear` does. */
static dv_status build_linear(dv_graph *graph, const char *prefix, const char *suffix,
                              int64_t units, int activation, int *value)
{
    char name[DV_NAME_SIZE];
    dv_linear_attr attr = {.units = units, .bias = true, .activation = activation};
    DV_TRY(dv__layer_name(name, prefix, suffix));
    return dv__layer_linear.build(graph, name, &attr, value);
}

/* Adds dropout, or no node if nothing is dropped, because the node would only copy. */
static dv_status build_dropout(dv_graph *graph, const char *prefix, const char *suffix,
                               const encoder_attr *encoder, int *value)
{
    if (encoder->dropout == 0)
        return DV_OK;
    char name[DV_NAME_SIZE];
    dv_dropout_attr attr = {.rate = encoder->dropout};
    DV_TRY(dv__layer_name(name, prefix, suffix));
    return dv_graph_add(graph, &dv_op_dropout, name, &attr, value, 1, value);
}

static dv_status build_sum(dv_graph *graph, const char *prefix, const char *suffix, int shortcut,
                           int *value)
{
    char name[DV_NAME_SIZE];
    int inputs[2] = {*value, shortcut};
    DV_TRY(dv__layer_name(name, prefix, suffix));
    return dv_graph_add(graph, &dv_op_add, name, NULL, inputs, 2, value);
}

static dv_status build_attention(dv_graph *graph, const char *prefix, const encoder_attr *encoder,
                                 int *value)
{
    int shortcut = *value;
    char name[DV_NAME_SIZE];
    dv_attention_attr attention = {.heads = encoder->heads};
    DV_TRY(build_norm(graph, prefix, "norm1", value));
    DV_TRY(build_linear(graph, prefix, "in_proj", 3 * encoder->units, DV_ACT_NONE, value));
    DV_TRY(dv__layer_name(name, prefix, "attention"));
    DV_TRY(dv_graph_add(graph, &dv_op_attention, name, &attention, value, 1, value));
    DV_TRY(build_linear(graph, prefix, "out_proj", encoder->units, DV_ACT_NONE, value));
    DV_TRY(build_dropout(graph, prefix, "dropout1", encoder, value));
    return build_sum(graph, prefix, "sum1", shortcut, value);
}

static dv_status build_feed_forward(dv_graph *graph, const char *prefix,
                                    const encoder_attr *encoder, int *value)
{
    int shortcut = *value;
    DV_TRY(build_norm(graph, prefix, "norm2", value));
    DV_TRY(
        build_linear(graph, prefix, "linear1", encoder->feed_forward, encoder->activation, value));
    DV_TRY(build_dropout(graph, prefix, "dropout", encoder, value));
    DV_TRY(build_linear(graph, prefix, "linear2", encoder->units, DV_ACT_NONE, value));
    DV_TRY(build_dropout(graph, prefix, "dropout2", encoder, value));
    return build_sum(graph, prefix, "sum2", shortcut, value);
}

static dv_status check(const char *name, const encoder_attr *encoder, dv_shape x)
{
    if (x.h != 1 || x.c != encoder->units)
        return DV_FAIL(DV_ESHAPE,
                       "encoder '%s': input %s is not a sequence (N, 1, T, %" PRId64
                       ") of its units: put `frames` and a linear layer in front of it",
                       name, dv_shape_format(x).text, encoder->units);
    if (encoder->units % encoder->heads != 0)
        return DV_FAIL(DV_EARG,
                       "encoder '%s': %" PRId64 " units cannot be divided among %" PRId64 " heads",
                       name, encoder->units, encoder->heads);
    return DV_OK;
}

static dv_status build(dv_graph *graph, const char *name, const void *attr, int *value)
{
    const encoder_attr *encoder = attr;
    DV_TRY(check(name, encoder, dv_graph_shape(graph, *value)));
    for (int64_t layer = 0; layer < encoder->layers; layer++) {
        char number[32], prefix[DV_NAME_SIZE];
        snprintf(number, sizeof number, "%d", (int)layer);
        DV_TRY(dv__layer_name(prefix, name, number));
        DV_TRY(build_attention(graph, prefix, encoder, value));
        DV_TRY(build_feed_forward(graph, prefix, encoder, value));
    }
    return DV_OK;
}

const dv_layer dv__layer_encoder = {
    .name = "encoder",
    .help = "transformer encoder layers, norms in front: attention, then two linear layers",
    .attr_size = sizeof(encoder_attr),
    .fields = fields,
    .build = build,
};
