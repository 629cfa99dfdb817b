/* A sum in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_add(dv_writer *writer, const dv_node *node)
{
    dv_form form = dv_writer_form(writer, node, 0);
    dv_value y =
        dv_program_binary(writer->program, DV_OPERATOR_Add, dv_writer_input(writer, node, 0, form),
                          dv_writer_input(writer, node, 1, form));
    dv_writer_set(writer, node, form, y);
    return DV_OK;
}
