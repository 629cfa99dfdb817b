/* Concatenation of channels in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

dv_status dv__write_concat(dv_writer *writer, const dv_node *node)
{
    dv_form form = dv_writer_form(writer, node, 0);
    dv_value parts[DV_MAX_INPUTS];
    for (int i = 0; i < node->input_count; i++)
        parts[i] = dv_writer_input(writer, node, i, form);
    int channels =
        form == DV_FORM_IMAGE ? 1 : dv_program_tensor(writer->program, parts[0])->rank - 1;
    if (channels >= 0)
        dv_writer_set(writer, node, form,
                      dv_program_concat(writer->program, parts, node->input_count, channels));
    return DV_OK;
}
