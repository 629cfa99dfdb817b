/* Gates over channels (squeeze and excitation, Hu et al. 2018) and over places (the spatial part of
   CBAM, Woo et al. 2018). */
#include "engine/layers/layer.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/conv2d/conv2d.h"

typedef struct squeeze_excite_attr {
    int64_t reduction;
    int activation;
} squeeze_excite_attr;

static const dv_field squeeze_excite_fields[] = {
    DV_INT(squeeze_excite_attr, reduction, "16", 1, 1024, "channels per middle unit"),
    DV_ENUM(squeeze_excite_attr, activation, "relu", dv_activation_names, "middle activation"),
    DV_END,
};

static dv_status build_squeeze_excite(dv_graph *graph, const char *name, const void *attr,
                                      int *value)
{
    const squeeze_excite_attr *se = attr;
    return dv__build_squeeze_excite(graph, name, se->reduction, se->activation, value);
}

const dv_layer dv__layer_squeeze_excite = {
    .name = "squeeze_excite",
    .help = "scales each channel by a gate computed from all channels' means",
    .attr_size = sizeof(squeeze_excite_attr),
    .fields = squeeze_excite_fields,
    .build = build_squeeze_excite,
};

typedef struct spatial_attention_attr {
    int64_t kernel;
} spatial_attention_attr;

static const dv_field spatial_attention_fields[] = {
    DV_INT(spatial_attention_attr, kernel, "7", 1, 31, "kernel, odd"),
    DV_END,
};

static dv_status build_spatial_attention(dv_graph *graph, const char *name, const void *attr,
                                         int *value)
{
    int64_t kernel = ((const spatial_attention_attr *)attr)->kernel;
    if (kernel % 2 == 0)
        return DV_FAIL(DV_EARG, "spatial_attention '%s': kernel %d must be odd", name, (int)kernel);
    char part[DV_NAME_SIZE];
    int gate;
    DV_TRY(dv__layer_name(part, name, "pool"));
    DV_TRY(dv_graph_add(graph, DV_OP_channel_mean_max, part, NULL, value, 1, &gate));
    dv_conv2d_attr conv = {.filters = 1,
                           .kernel = {kernel, kernel},
                           .stride = {1, 1},
                           .padding = {-1, -1},
                           .dilation = {1, 1},
                           .groups = 1,
                           .bias = false};
    DV_TRY(dv__layer_name(part, name, "conv"));
    DV_TRY(dv_graph_add(graph, DV_OP_conv2d, part, &conv, &gate, 1, &gate));
    DV_TRY(dv__build_activation(graph, name, DV_ACT_SIGMOID, &gate));
    DV_TRY(dv__layer_name(part, name, "scale"));
    int inputs[2] = {*value, gate};
    return dv_graph_add(graph, DV_OP_spatial_scale, part, NULL, inputs, 2, value);
}

const dv_layer dv__layer_spatial_attention = {
    .name = "spatial_attention",
    .help = "scales each place by a gate computed from the channels' mean and maximum",
    .attr_size = sizeof(spatial_attention_attr),
    .fields = spatial_attention_fields,
    .build = build_spatial_attention,
};
