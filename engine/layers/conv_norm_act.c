/* Parts that composite layers share: names, a convolution with batch norm, and an activation. */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/ops.h"

dv_status dv__layer_name(char name[DV_NAME_SIZE], const char *prefix, const char *suffix)
{
    int length = snprintf(name, DV_NAME_SIZE, "%s.%s", prefix, suffix);
    if (length < 0 || length >= DV_NAME_SIZE)
        return DV_FAIL(DV_EARG, "the layer name '%.40s...' is too long", prefix);
    return DV_OK;
}

/* Adds the nodes "<prefix>.<suffix>.conv" and "<prefix>.<suffix>.norm". The batch norm itself adds
   the residual and applies the activation. */
dv_status dv__build_conv_norm(dv_graph *graph, const char *prefix, const char *suffix,
                              const dv_conv_norm *spec, int residual, int *value)
{
    char part[DV_NAME_SIZE], name[DV_NAME_SIZE];
    DV_TRY(dv__layer_name(part, prefix, suffix));
    dv_conv2d_attr conv = {.filters = spec->filters,
                           .kernel = {spec->kernel, spec->kernel},
                           .stride = {spec->stride, spec->stride},
                           .padding = {-1, -1},
                           .dilation = {1, 1},
                           .groups = spec->depthwise ? 0 : 1,
                           .bias = false};
    DV_TRY(dv__layer_name(name, part, "conv"));
    DV_TRY(dv_graph_add(graph, &dv_op_conv2d, name, &conv, value, 1, value));
    dv_batchnorm_attr norm;
    DV_TRY(dv_fields_default(dv_op_batchnorm.fields, &norm));
    norm.activation = spec->activation;
    DV_TRY(dv__layer_name(name, part, "norm"));
    int inputs[2] = {*value, residual};
    return dv_graph_add(graph, &dv_op_batchnorm, name, &norm, inputs, residual >= 0 ? 2 : 1, value);
}

dv_status dv__build_activation(dv_graph *graph, const char *prefix, int kind, int *value)
{
    if (kind == DV_ACT_NONE)
        return DV_OK;
    char name[DV_NAME_SIZE];
    DV_TRY(dv__layer_name(name, prefix, "activation"));
    dv_activation_attr attr = {.kind = kind};
    return dv_graph_add(graph, &dv_op_activation, name, &attr, value, 1, value);
}
