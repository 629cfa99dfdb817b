/* Mobile inverted bottlenecks (Sandler et al., "MobileNetV2: inverted residuals and linear
   bottlenecks", 2018), with the squeeze and excitation of Tan and Le, "EfficientNet", 2019. Its
   middle width is a share of the block's input channels, not of the expanded ones. */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/ops.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"

typedef struct mbconv_attr {
    int64_t filters, blocks, expand, kernel, stride, se_reduction;
    int activation;
} mbconv_attr;

static const dv_field fields[] = {
    DV_INT(mbconv_attr, filters, DV_REQUIRED, 1, 65536, "output channels"),
    DV_INT(mbconv_attr, blocks, "1", 1, 1024, "number of blocks, one behind the other"),
    DV_INT(mbconv_attr, expand, "6", 1, 64,
           "middle channels per input channel; 1 leaves out the first 1x1 convolution"),
    DV_INT(mbconv_attr, kernel, "3", 1, 15, "size of the depthwise kernel, odd"),
    DV_INT(mbconv_attr, stride, "1", 1, 8, "stride of the first block"),
    DV_INT(mbconv_attr, se_reduction, "4", 0, 1024,
           "input channels per middle unit of squeeze-and-excitation; 0 leaves it out"),
    DV_ENUM(mbconv_attr, activation, "silu", dv_activation_names, "activation of a block"),
    DV_END,
};

static dv_status build_squeeze_excite(dv_graph *graph, const char *prefix, const mbconv_attr *attr,
                                      int64_t channels, int *value)
{
    if (attr->se_reduction == 0)
        return DV_OK;
    int64_t units = channels / attr->se_reduction;
    dv_squeeze_excite_attr se = {.reduction = attr->se_reduction,
                                 .activation = attr->activation,
                                 .units = units > 0 ? units : 1};
    char name[DV_NAME_SIZE];
    DV_TRY(dv__layer_name(name, prefix, "se"));
    return dv_graph_add(graph, &dv_op_squeeze_excite, name, &se, value, 1, value);
}

/* Adds the 1x1 expansion (if `expand` is above 1), the depthwise convolution, squeeze and
   excitation, and the 1x1 projection. The norm of the projection adds the block's input if the
   shapes agree. */
static dv_status build_block(dv_graph *graph, const char *prefix, const mbconv_attr *attr,
                             int64_t stride, int *value)
{
    int shortcut = *value;
    int64_t channels = dv_graph_shape(graph, shortcut).c;
    bool skip = stride == 1 && channels == attr->filters;
    dv_conv_norm spec = {.filters = attr->expand * channels,
                         .kernel = 1,
                         .stride = 1,
                         .activation = attr->activation};
    if (attr->expand > 1)
        DV_TRY(dv__build_conv_norm(graph, prefix, "expand", &spec, -1, value));
    spec.kernel = attr->kernel;
    spec.stride = stride;
    spec.depthwise = true;
    DV_TRY(dv__build_conv_norm(graph, prefix, "depthwise", &spec, -1, value));
    DV_TRY(build_squeeze_excite(graph, prefix, attr, channels, value));
    spec = (dv_conv_norm){
        .filters = attr->filters, .kernel = 1, .stride = 1, .activation = DV_ACT_NONE};
    return dv__build_conv_norm(graph, prefix, "project", &spec, skip ? shortcut : -1, value);
}

static dv_status build(dv_graph *graph, const char *name, const void *attr, int *value)
{
    const mbconv_attr *mbconv = attr;
    if (mbconv->kernel % 2 == 0)
        return DV_FAIL(DV_EARG, "mbconv '%s': kernel %d must be odd", name, (int)mbconv->kernel);
    for (int64_t block = 0; block < mbconv->blocks; block++) {
        char suffix[32], prefix[DV_NAME_SIZE];
        snprintf(suffix, sizeof suffix, "block_%d", (int)block + 1);
        DV_TRY(dv__layer_name(prefix, name, suffix));
        DV_TRY(build_block(graph, prefix, mbconv, block == 0 ? mbconv->stride : 1, value));
    }
    return DV_OK;
}

const dv_layer dv__layer_mbconv = {
    .name = "mbconv",
    .help = "mobile inverted bottlenecks, with or without squeeze-and-excitation",
    .attr_size = sizeof(mbconv_attr),
    .fields = fields,
    .build = build,
};
