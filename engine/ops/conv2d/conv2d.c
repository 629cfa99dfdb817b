/* The rules of convolution: its attributes and the meaning of -1 and 0 in them, its parameters, and
   the shape of its output. */
#include "engine/ops/conv2d/conv2d.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

static const dv_field fields[] = {
    DV_INT(dv_conv2d_attr, filters, DV_REQUIRED, 1, 65536, "output channels"),
    DV_PAIR(dv_conv2d_attr, kernel, DV_REQUIRED, 1, 1024, "kernel height and width"),
    DV_PAIR(dv_conv2d_attr, stride, "1", 1, 1024, "step of the kernel"),
    DV_PAIR(dv_conv2d_attr, padding, "-1", -1, 1024,
            "zeros on each side; -1 takes half the kernel"),
    DV_PAIR(dv_conv2d_attr, dilation, "1", 1, 1024, "distance of the kernel's taps"),
    DV_INT(dv_conv2d_attr, groups, "1", 0, 65536,
           "groups of channels; 0 makes one per channel (depthwise)"),
    DV_BOOL(dv_conv2d_attr, bias, "true", "add a bias"),
    DV_END,
};

static const char *const axes[2] = {"height", "width"};

/* Replaces padding -1 and groups 0 by numbers. */
static dv_status resolve(dv_node *node, dv_shape x)
{
    dv_conv2d_attr *attr = node->attr;
    for (int axis = 0; axis < 2; axis++) {
        if (attr->kernel[axis] < 1 || attr->stride[axis] < 1 || attr->dilation[axis] < 1 ||
            attr->padding[axis] < -1)
            return DV_FAIL(DV_EARG,
                           "conv2d '%s': kernel %" PRId64 ", stride %" PRId64 ", dilation %" PRId64
                           " and padding %" PRId64 " in %s: the first three must be at least 1, "
                           "padding at least -1",
                           node->name, attr->kernel[axis], attr->stride[axis], attr->dilation[axis],
                           attr->padding[axis], axes[axis]);
        int64_t reach = attr->dilation[axis] * (attr->kernel[axis] - 1);
        if (attr->padding[axis] == -1 && reach % 2 != 0)
            return DV_FAIL(DV_EARG,
                           "conv2d '%s': padding -1 needs a kernel that is the same on both sides, "
                           "but %s %" PRId64 " with dilation %" PRId64
                           " has an even extent: give the padding as a number",
                           node->name, axes[axis], attr->kernel[axis], attr->dilation[axis]);
        if (attr->padding[axis] == -1)
            attr->padding[axis] = reach / 2;
    }
    if (attr->groups == 0)
        attr->groups = x.c;
    return DV_OK;
}

static dv_status check_channels(const dv_node *node, dv_shape x)
{
    const dv_conv2d_attr *attr = node->attr;
    if (attr->filters < 1 || attr->groups < 1)
        return DV_FAIL(DV_EARG,
                       "conv2d '%s': %" PRId64 " filters in %" PRId64
                       " groups: both must be at least 1",
                       node->name, attr->filters, attr->groups);
    if (x.c % attr->groups != 0 || attr->filters % attr->groups != 0)
        return DV_FAIL(DV_ESHAPE,
                       "conv2d '%s': input %s: its channels and the %" PRId64
                       " filters must be multiples of the %" PRId64 " groups",
                       node->name, dv_shape_format(x).text, attr->filters, attr->groups);
    return DV_OK;
}

static int64_t output_size(const dv_conv2d_attr *attr, int axis, int64_t size)
{
    int64_t room = size + 2 * attr->padding[axis] - attr->dilation[axis] * (attr->kernel[axis] - 1);
    return room < 1 ? 0 : (room - 1) / attr->stride[axis] + 1;
}

/* Declares the weight, whose second dimension is the channels of one group, and the bias if there
   is one. */
static dv_status declare(dv_graph *graph, dv_node *node, dv_shape x)
{
    const dv_conv2d_attr *attr = node->attr;
    dv_param_spec weight = {
        .suffix = "weight",
        .rank = 4,
        .dim = {attr->filters, x.c / attr->groups, attr->kernel[0], attr->kernel[1]},
        .init = DV_INIT_KAIMING,
        .decay = true,
        .trainable = true,
    };
    DV_TRY(dv_node_param(graph, node, &weight));
    if (!attr->bias)
        return DV_OK;
    dv_param_spec bias = {.suffix = "bias",
                          .rank = 1,
                          .dim = {attr->filters},
                          .init = DV_INIT_ZERO,
                          .trainable = true};
    return dv_node_param(graph, node, &bias);
}

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    DV_TRY(resolve(node, x));
    DV_TRY(check_channels(node, x));
    const dv_conv2d_attr *attr = node->attr;
    dv_shape y = {x.n, output_size(attr, 0, x.h), output_size(attr, 1, x.w), attr->filters};
    if (y.h < 1 || y.w < 1)
        return DV_FAIL(DV_ESHAPE,
                       "conv2d '%s': input %s gives the empty output %s: the %" PRId64 "x%" PRId64
                       " kernel with dilation %" PRId64 "x%" PRId64 " and padding %" PRId64
                       "x%" PRId64 " does not fit in",
                       node->name, dv_shape_format(x).text, dv_shape_format(y).text,
                       attr->kernel[0], attr->kernel[1], attr->dilation[0], attr->dilation[1],
                       attr->padding[0], attr->padding[1]);
    node->shape = y;
    return declare(graph, node, x);
}

static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    const dv_conv2d_attr *attr = node->attr;
    int64_t channels = dv_node_input(graph, node, 0).c / attr->groups;
    return dv_shape_count(node->shape) * channels * attr->kernel[0] * attr->kernel[1];
}

const dv_op dv_op_conv2d = {
    .id = DV_OP_conv2d,
    .name = "conv2d",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_conv2d_attr),
    .fields = fields,
    .help = "convolution",
    .infer = infer,
    .macs = macs,
    .backward_reads = DV_READS_INPUT(0),
    .write = dv__write_conv2d,
};
