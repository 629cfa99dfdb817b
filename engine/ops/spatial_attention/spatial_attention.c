/* The rules of spatial attention: an odd kernel, and the weight of its convolution. */
#include "engine/ops/spatial_attention/spatial_attention.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

static const dv_field fields[] = {
    DV_INT(dv_spatial_attention_attr, kernel, "7", 1, 31, "size of the kernel, odd"),
    DV_END,
};

/* Checks the kernel and the number of channels, keeps the input's shape and declares the weight. */
static dv_status infer(dv_graph *graph, dv_node *node)
{
    int64_t kernel = ((const dv_spatial_attention_attr *)node->attr)->kernel;
    dv_shape x = dv_node_input(graph, node, 0);
    if (kernel < 1 || kernel % 2 == 0)
        return DV_FAIL(DV_EARG, "spatial_attention '%s': kernel %" PRId64 " must be odd",
                       node->name, kernel);
    if (x.c > INT32_MAX)
        return DV_FAIL(DV_ESHAPE, "spatial_attention '%s': %s has more channels than %d",
                       node->name, dv_shape_format(x).text, INT32_MAX);
    node->shape = x;
    dv_param_spec weight = {
        .suffix = "conv.weight",
        .rank = 4,
        .dim = {1, 2, kernel, kernel},
        .init = DV_INIT_KAIMING,
        .decay = true,
        .trainable = true,
    };
    return dv_node_param(graph, node, &weight);
}

/* The multiply-adds of the convolution. */
static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    int64_t kernel = ((const dv_spatial_attention_attr *)node->attr)->kernel;
    return dv_shape_rows(dv_node_input(graph, node, 0)) * 2 * kernel * kernel;
}

const dv_op dv_op_spatial_attention = {
    .id = DV_OP_spatial_attention,
    .name = "spatial_attention",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_spatial_attention_attr),
    .fields = fields,
    .help = "scales each place by a gate computed from the channels' mean and maximum",
    .infer = infer,
    .macs = macs,
    .backward_reads = DV_READS_INPUT(0),
    .write = dv__write_spatial_attention,
};
