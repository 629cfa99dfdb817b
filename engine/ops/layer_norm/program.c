/* Layer normalisation in a program. */
#include "engine/ops/layer_norm/layer_norm.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_layer_norm(dv_writer *writer, const dv_node *node)
{
    const dv_layer_norm_attr *attr = node->attr;
    dv_value inputs[] = {dv_writer_input(writer, node, 0, DV_FORM_ROWS),
                         dv_writer_param(writer, node, 0, &node->shape.c, 1),
                         dv_writer_param(writer, node, 1, &node->shape.c, 1)};
    dv_writer_set(writer, node, DV_FORM_ROWS,
                  dv_program_add(writer->program, DV_OPERATOR_LayerNormalization, inputs, 3,
                                 &(dv_attributes){.epsilon = attr->epsilon}));
    return DV_OK;
}
