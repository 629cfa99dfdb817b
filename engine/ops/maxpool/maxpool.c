/* The rules of maximum pooling. Mean pooling has the same attributes and checks. */
#include "engine/ops/maxpool/maxpool.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

const dv_field dv__pool_fields[] = {
    DV_PAIR(dv_pool_attr, kernel, DV_REQUIRED, 1, 1024, "window height and width"),
    DV_PAIR(dv_pool_attr, stride, "0", 0, 1024, "step of the window; 0 takes the kernel"),
    DV_PAIR(dv_pool_attr, padding, "0", 0, 512, "padding on each side, at most half the kernel"),
    DV_END,
};

static const char *const axes[2] = {"height", "width"};

static dv_status check(const dv_node *node, dv_shape x, int axis)
{
    const dv_pool_attr *attr = node->attr;
    const char *op = node->op->name;
    if (attr->kernel[axis] < 1 || attr->stride[axis] < 0 || attr->padding[axis] < 0)
        return DV_FAIL(DV_EARG,
                       "%s '%s': kernel %" PRId64 ", stride %" PRId64 " and padding %" PRId64
                       " in %s: the kernel must be at least 1, the others at least 0",
                       op, node->name, attr->kernel[axis], attr->stride[axis], attr->padding[axis],
                       axes[axis]);
    if (attr->padding[axis] > attr->kernel[axis] / 2)
        return DV_FAIL(DV_EARG,
                       "%s '%s': input %s: padding %" PRId64 " in %s is more than half the kernel "
                       "(%" PRId64 ")",
                       op, node->name, dv_shape_format(x).text, attr->padding[axis], axes[axis],
                       attr->kernel[axis]);
    return DV_OK;
}

static int64_t output_size(const dv_pool_attr *attr, int axis, int64_t size)
{
    int64_t room = size + 2 * attr->padding[axis] - attr->kernel[axis];
    return room < 0 ? 0 : room / attr->stride[axis] + 1;
}

dv_status dv__pool_infer(dv_graph *graph, dv_node *node)
{
    dv_pool_attr *attr = node->attr;
    dv_shape x = dv_node_input(graph, node, 0);
    for (int axis = 0; axis < 2; axis++) {
        DV_TRY(check(node, x, axis));
        if (attr->stride[axis] == 0)
            attr->stride[axis] = attr->kernel[axis];
    }
    dv_shape y = {x.n, output_size(attr, 0, x.h), output_size(attr, 1, x.w), x.c};
    if (y.h < 1 || y.w < 1)
        return DV_FAIL(DV_ESHAPE,
                       "%s '%s': input %s gives the empty output %s: the %" PRId64 "x%" PRId64
                       " window with padding %" PRId64 "x%" PRId64 " does not fit in",
                       node->op->name, node->name, dv_shape_format(x).text, dv_shape_format(y).text,
                       attr->kernel[0], attr->kernel[1], attr->padding[0], attr->padding[1]);
    node->shape = y;
    return DV_OK;
}

const dv_op dv_op_maxpool = {
    .id = DV_OP_maxpool,
    .name = "maxpool",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_pool_attr),
    .fields = dv__pool_fields,
    .help = "maximum over windows",
    .infer = dv__pool_infer,
    .write = dv__write_maxpool,
};
