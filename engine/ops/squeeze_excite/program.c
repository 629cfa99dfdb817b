/* Squeeze and excitation in a program: two convolutions of one position. */
#include "engine/ops/squeeze_excite/squeeze_excite.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* A 1x1 convolution with the parameters `first` (units, channels) and `first` + 1 (units). */
static dv_value dense(dv_writer *writer, const dv_node *node, int first, dv_value x, int64_t units,
                      int64_t channels)
{
    dv_attributes attributes = {
        .window = {.axes = 2, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
    dv_value inputs[] = {
        x, dv_writer_param(writer, node, first, (const int64_t[]){units, channels, 1, 1}, 4),
        dv_writer_param(writer, node, first + 1, &units, 1)};
    return dv_program_add(writer->program, DV_OPERATOR_Conv, inputs, 3, &attributes);
}

dv_status dv__write_squeeze_excite(dv_writer *writer, const dv_node *node)
{
    const dv_squeeze_excite_attr *attr = node->attr;
    int64_t channels = node->shape.c, middle = dv_squeeze_excite_middle(attr, channels);
    dv_program *program = writer->program;
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    dv_value gate = dv_program_unary(program, DV_OPERATOR_GlobalAveragePool, x);
    gate = dense(writer, node, 0, gate, middle, channels);
    gate = dv__write_function(program, attr->activation, gate);
    gate = dense(writer, node, 2, gate, channels, middle);
    gate = dv_program_unary(program, DV_OPERATOR_Sigmoid, gate);
    dv_writer_set(writer, node, DV_FORM_IMAGE,
                  dv_program_binary(program, DV_OPERATOR_Mul, x, gate));
    return DV_OK;
}
