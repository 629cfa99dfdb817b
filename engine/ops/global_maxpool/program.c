/* The maximum over all positions, in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_global_maxpool(dv_writer *writer, const dv_node *node)
{
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    x = dv_program_reduce(writer->program, DV_OPERATOR_ReduceMax, x, 2, 3);
    dv_writer_set(writer, node, DV_FORM_IMAGE, x);
    return DV_OK;
}
