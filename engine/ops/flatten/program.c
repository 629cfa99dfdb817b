/* Flattening in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* The order channel, row, column is that of DV_FORM_IMAGE. */
dv_status dv__write_flatten(dv_writer *writer, const dv_node *node)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(node->shape.c)};
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    dv_writer_set(writer, node, DV_FORM_ROWS, dv_program_reshape(writer->program, x, sizes, 2));
    return DV_OK;
}
