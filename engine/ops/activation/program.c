/* Activation functions in a program. */
#include "engine/ops/activation/activation.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2. */
static dv_value gelu(dv_program *program, dv_value x)
{
    dv_value y = dv_program_with(program, DV_OPERATOR_Mul, x, 0.70710678118654752);
    y = dv_program_unary(program, DV_OPERATOR_Erf, y);
    y = dv_program_with(program, DV_OPERATOR_Add, y, 1);
    y = dv_program_with(program, DV_OPERATOR_Mul, y, 0.5);
    return dv_program_binary(program, DV_OPERATOR_Mul, x, y);
}

/* Functions without an operator of ONNX are several statements. */
dv_value dv__write_function(dv_program *program, int kind, dv_value x)
{
    switch ((dv_activation_kind)kind) {
    case DV_ACT_RELU:
        return dv_program_unary(program, DV_OPERATOR_Relu, x);
    case DV_ACT_SIGMOID:
        return dv_program_unary(program, DV_OPERATOR_Sigmoid, x);
    case DV_ACT_TANH:
        return dv_program_unary(program, DV_OPERATOR_Tanh, x);
    case DV_ACT_SILU:
        return dv_program_binary(program, DV_OPERATOR_Mul, x,
                                 dv_program_unary(program, DV_OPERATOR_Sigmoid, x));
    case DV_ACT_GELU:
        return gelu(program, x);
    case DV_ACT_HARDSWISH:
        return dv_program_unary(program, DV_OPERATOR_HardSwish, x);
    case DV_ACT_NONE:
    case DV_ACT_COUNT:
        break;
    }
    return x;
}

dv_status dv__write_activation(dv_writer *writer, const dv_node *node)
{
    const dv_activation_attr *attr = node->attr;
    dv_form form = dv_writer_form(writer, node, 0);
    dv_writer_set(
        writer, node, form,
        dv__write_function(writer->program, attr->kind, dv_writer_input(writer, node, 0, form)));
    return DV_OK;
}
