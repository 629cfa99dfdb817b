/* Spatial attention in a program. */
#include "engine/ops/spatial_attention/spatial_attention.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* Writes mean and maximum over the channels, a convolution of both, and the gate. */
dv_status dv__write_spatial_attention(dv_writer *writer, const dv_node *node)
{
    int64_t kernel = ((const dv_spatial_attention_attr *)node->attr)->kernel;
    dv_program *program = writer->program;
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    dv_value maps[] = {dv_program_reduce(program, DV_OPERATOR_ReduceMean, x, 1, -1),
                       dv_program_reduce(program, DV_OPERATOR_ReduceMax, x, 1, -1)};
    dv_attributes attributes = {.window = {.axes = 2,
                                           .kernel = {kernel, kernel},
                                           .stride = {1, 1},
                                           .padding = {kernel / 2, kernel / 2},
                                           .dilation = {1, 1},
                                           .groups = 1}};
    dv_value inputs[] = {
        dv_program_concat(program, maps, 2, 1),
        dv_writer_param(writer, node, 0, (const int64_t[]){1, 2, kernel, kernel}, 4)};
    dv_value gate = dv_program_add(program, DV_OPERATOR_Conv, inputs, 2, &attributes);
    gate = dv_program_unary(program, DV_OPERATOR_Sigmoid, gate);
    dv_writer_set(writer, node, DV_FORM_IMAGE,
                  dv_program_binary(program, DV_OPERATOR_Mul, x, gate));
    return DV_OK;
}
