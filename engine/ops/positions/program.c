/* Sinusoidal positions in a program: a table that is added. */
#include "engine/ops/positions/positions.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

#include <stdlib.h>

dv_status dv__write_positions(dv_writer *writer, const dv_node *node)
{
    char name[DV_PROGRAM_NAME];
    float *table;
    int64_t sizes[] = {node->shape.w, node->shape.c};
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_ROWS);
    DV_TRY(dv_calloc((size_t)(sizes[0] * sizes[1]), sizeof *table, &table));
    dv__positions_fill(node->shape, table);
    snprintf(name, sizeof name, "%s.table", node->name);
    dv_value positions = dv_program_constant(writer->program, name, writer->element,
                                             node->shape.w > 1 ? sizes : sizes + 1,
                                             node->shape.w > 1 ? 2 : 1, table);
    free(table);
    dv_writer_set(writer, node, DV_FORM_ROWS,
                  dv_program_binary(writer->program, DV_OPERATOR_Add, x, positions));
    return DV_OK;
}
