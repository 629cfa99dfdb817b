/* A convolution in a program. */
#include "engine/ops/conv2d/conv2d.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* A Conv with the parameters as they are. */
dv_status dv__write_conv2d(dv_writer *writer, const dv_node *node)
{
    const dv_conv2d_attr *attr = node->attr;
    dv_shape x = dv_node_input(writer->graph, node, 0);
    dv_window window = {.axes = 2, .groups = attr->groups};
    for (int axis = 0; axis < 2; axis++) {
        window.kernel[axis] = attr->kernel[axis];
        window.stride[axis] = attr->stride[axis];
        window.padding[axis] = attr->padding[axis];
        window.dilation[axis] = attr->dilation[axis];
    }
    int64_t sizes[] = {attr->filters, x.c / attr->groups, attr->kernel[0], attr->kernel[1]};
    dv_value inputs[3] = {dv_writer_input(writer, node, 0, DV_FORM_IMAGE),
                          dv_writer_param(writer, node, 0, sizes, 4)};
    if (attr->bias)
        inputs[2] = dv_writer_param(writer, node, 1, &attr->filters, 1);
    dv_writer_set(writer, node, DV_FORM_IMAGE,
                  dv_program_add(writer->program, DV_OPERATOR_Conv, inputs, attr->bias ? 3 : 2,
                                 &(dv_attributes){.window = window}));
    return DV_OK;
}
