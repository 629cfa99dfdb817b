/* Residual blocks (He et al., "Deep residual learning for image recognition", 2016), with squeeze
   and excitation before the sum (Hu et al. 2018). */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/ops.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"

#include <math.h>

typedef struct residual_attr {
    int64_t filters, blocks, kernel, stride;
    double bottleneck;
    int64_t se_reduction;
    int activation;
} residual_attr;

static const dv_field fields[] = {
    DV_INT(residual_attr, filters, DV_REQUIRED, 1, 65536, "output channels"),
    DV_INT(residual_attr, blocks, "1", 1, 1024, "number of blocks, one behind the other"),
    DV_INT(residual_attr, kernel, "3", 1, 15, "size of the kernel, odd"),
    DV_INT(residual_attr, stride, "1", 1, 8, "stride of the first block"),
    DV_FLOAT(residual_attr, bottleneck, "0", 0, 1,
             "middle channels as a share of the output channels (1x1, k x k, 1x1); 0 makes basic "
             "blocks (k x k, k x k)"),
    DV_INT(residual_attr, se_reduction, "0", 0, 1024,
           "channels per middle unit of squeeze-and-excitation; 0 leaves it out"),
    DV_ENUM(residual_attr, activation, "relu", dv_activation_names, "activation of a block"),
    DV_END,
};

/* The identity if the shapes agree, otherwise a 1x1 convolution with batch norm. */
static dv_status build_shortcut(dv_graph *graph, const char *prefix, const residual_attr *attr,
                                int64_t stride, int *value)
{
    if (stride == 1 && dv_graph_shape(graph, *value).c == attr->filters)
        return DV_OK;
    dv_conv_norm spec = {
        .filters = attr->filters, .kernel = 1, .stride = stride, .activation = DV_ACT_NONE};
    return dv__build_conv_norm(graph, prefix, "shortcut", &spec, -1, value);
}

/* Builds all convolutions except the last, with their activations. *last becomes the form of the
   last one. */
static dv_status build_body(dv_graph *graph, const char *prefix, const residual_attr *attr,
                            int64_t stride, dv_conv_norm *last, int *value)
{
    dv_conv_norm spec = {.filters = attr->filters,
                         .kernel = attr->kernel,
                         .stride = stride,
                         .activation = attr->activation};
    *last = spec;
    last->stride = 1;
    if (attr->bottleneck > 0) {
        spec.filters = (int64_t)fmax(1, round(attr->bottleneck * (double)attr->filters));
        dv_conv_norm reduce = spec;
        reduce.kernel = reduce.stride = 1;
        DV_TRY(dv__build_conv_norm(graph, prefix, "reduce", &reduce, -1, value));
        last->kernel = 1;
    }
    return dv__build_conv_norm(graph, prefix, "middle", &spec, -1, value);
}

static dv_status build_block(dv_graph *graph, const char *prefix, const residual_attr *attr,
                             int64_t stride, int *value)
{
    int shortcut = *value;
    DV_TRY(build_shortcut(graph, prefix, attr, stride, &shortcut));
    dv_conv_norm last;
    DV_TRY(build_body(graph, prefix, attr, stride, &last, value));
    if (attr->se_reduction == 0)
        return dv__build_conv_norm(graph, prefix, "expand", &last, shortcut, value);
    last.activation = DV_ACT_NONE;
    DV_TRY(dv__build_conv_norm(graph, prefix, "expand", &last, -1, value));
    char name[DV_NAME_SIZE];
    DV_TRY(dv__layer_name(name, prefix, "se"));
    dv_squeeze_excite_attr se = {.reduction = attr->se_reduction, .activation = attr->activation};
    DV_TRY(dv_graph_add(graph, &dv_op_squeeze_excite, name, &se, value, 1, value));
    DV_TRY(dv__layer_name(name, prefix, "sum"));
    int inputs[2] = {*value, shortcut};
    DV_TRY(dv_graph_add(graph, &dv_op_add, name, NULL, inputs, 2, value));
    return dv__build_activation(graph, prefix, attr->activation, value);
}

static dv_status build(dv_graph *graph, const char *name, const void *attr, int *value)
{
    const residual_attr *residual = attr;
    if (residual->kernel % 2 == 0)
        return DV_FAIL(DV_EARG, "residual '%s': kernel %d must be odd", name,
                       (int)residual->kernel);
    for (int64_t block = 0; block < residual->blocks; block++) {
        char suffix[32], prefix[DV_NAME_SIZE];
        snprintf(suffix, sizeof suffix, "block_%d", (int)block + 1);
        DV_TRY(dv__layer_name(prefix, name, suffix));
        DV_TRY(build_block(graph, prefix, residual, block == 0 ? residual->stride : 1, value));
    }
    return DV_OK;
}

const dv_layer dv__layer_residual = {
    .name = "residual",
    .help = "residual blocks, basic or bottleneck, with or without squeeze-and-excitation",
    .attr_size = sizeof(residual_attr),
    .fields = fields,
    .build = build,
};
