/* A fully connected layer in a program. */
#include "engine/ops/linear/linear.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* Writes a Gemm for (N, C), which reads the weight in PyTorch's order, and a product and a sum for
   (N, positions, C). */
static dv_value product(dv_writer *writer, const dv_node *node, dv_value x)
{
    const dv_linear_attr *attr = node->attr;
    int64_t channels = dv_node_input(writer->graph, node, 0).c;
    dv_program *program = writer->program;
    if (dv_program_tensor(program, x)->rank == 2) {
        int64_t sizes[] = {attr->units, channels};
        dv_value inputs[3] = {x, dv_writer_param(writer, node, 0, sizes, 2)};
        if (attr->bias)
            inputs[2] = dv_writer_param(writer, node, 1, &attr->units, 1);
        return dv_program_add(program, DV_OPERATOR_Gemm, inputs, attr->bias ? 3 : 2, NULL);
    }
    dv_value y =
        dv_program_binary(program, DV_OPERATOR_MatMul, x, dv_writer_transposed(writer, node, 0));
    if (!attr->bias)
        return y;
    return dv_program_binary(program, DV_OPERATOR_Add, y,
                             dv_writer_param(writer, node, 1, &attr->units, 1));
}

dv_status dv__write_linear(dv_writer *writer, const dv_node *node)
{
    const dv_linear_attr *attr = node->attr;
    dv_value y = product(writer, node, dv_writer_input(writer, node, 0, DV_FORM_ROWS));
    dv_writer_set(writer, node, DV_FORM_ROWS,
                  dv__write_function(writer->program, attr->activation, y));
    return DV_OK;
}
