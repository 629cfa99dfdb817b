/* Frames in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* (N, C, H, W) -> (N, H C, 1, W), with channel h C + c in frame w. */
dv_status dv__write_frames(dv_writer *writer, const dv_node *node)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(node->shape.c), dv_size_of(1),
                       dv_size_of(node->shape.w)};
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    if (dv_node_input(writer->graph, node, 0).c > 1)
        x = dv_program_transpose(writer->program, x, (const int[]){0, 2, 1, 3});
    dv_writer_set(writer, node, DV_FORM_IMAGE, dv_program_reshape(writer->program, x, sizes, 4));
    return DV_OK;
}
