/* Maximum pooling in a program. */
#include "engine/ops/maxpool/maxpool.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

void dv__write_pool(dv_writer *writer, const dv_node *node, dv_operator op_type)
{
    const dv_pool_attr *attr = node->attr;
    dv_attributes attributes = {.window = {.axes = 2, .groups = 1, .dilation = {1, 1}}};
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    for (int axis = 0; axis < 2; axis++) {
        attributes.window.kernel[axis] = attr->kernel[axis];
        attributes.window.stride[axis] = attr->stride[axis];
        attributes.window.padding[axis] = attr->padding[axis];
    }
    dv_writer_set(writer, node, DV_FORM_IMAGE,
                  dv_program_add(writer->program, op_type, &x, 1, &attributes));
}

dv_status dv__write_maxpool(dv_writer *writer, const dv_node *node)
{
    dv__write_pool(writer, node, DV_OPERATOR_MaxPool);
    return DV_OK;
}
