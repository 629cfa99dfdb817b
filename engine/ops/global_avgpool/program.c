/* The mean over all positions, in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_global_avgpool(dv_writer *writer, const dv_node *node)
{
    dv_form form = dv_writer_form(writer, node, 0);
    dv_program *program = writer->program;
    dv_value x = dv_writer_input(writer, node, 0, form);
    if (form == DV_FORM_IMAGE) {
        x = dv_program_unary(program, DV_OPERATOR_GlobalAveragePool, x);
    } else if (dv_program_tensor(program, x)->rank == 3) {
        x = dv_program_reduce(program, DV_OPERATOR_ReduceMean, x, 1, -1);
        x = dv_program_along(program, DV_OPERATOR_Squeeze, x, 1);
    }
    dv_writer_set(writer, node, form, x);
    return DV_OK;
}
