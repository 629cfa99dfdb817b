/* The rules of a conversion: its attributes, and the type of its output. */
#include "engine/ops/convert/convert.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"

#include <float.h>

static const char *const dtype_names[] = {
#define DV_DTYPE(dtype, bytes, scaled, name) [dtype] = name,
    DV_DTYPES(DV_DTYPE)
#undef DV_DTYPE
        NULL};

static const dv_field fields[] = {
    DV_ENUM(dv_convert_attr, dtype, DV_REQUIRED, dtype_names, "type of the result"),
    DV_FLOAT(dv_convert_attr, scale, "0", 0, FLT_MAX, "value that the 1 of an int8 stands for"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_convert_attr *attr = node->attr;
    float scale = (float)attr->scale;
    if (attr->dtype < 0 || attr->dtype >= DV_DTYPE_COUNT)
        return DV_FAIL(DV_EARG, "convert '%s': there is no type %d", node->name, attr->dtype);
    dv_dtype dtype = (dv_dtype)attr->dtype;
    if (dv_dtype_scaled(dtype) != (scale >= FLT_MIN) || scale > FLT_MAX)
        return DV_FAIL(DV_EARG, "convert '%s': the scale is %g, must be %s for %s", node->name,
                       attr->scale, dv_dtype_scaled(dtype) ? "above 0" : "0", dv_dtype_name(dtype));
    node->shape = dv_node_input(graph, node, 0);
    node->type = (dv_type){.dtype = dtype, .scale = scale};
    return DV_OK;
}

const dv_op dv_op_convert = {
    .id = DV_OP_convert,
    .name = "convert",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_convert_attr),
    .fields = fields,
    .help = "a value in another type",
    .infer = infer,
    .graph_only = true,
};
