/* A feature image as a sequence of frames, in a program. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

/* (N, C, H, W) -> (N, W, H C): frame w has channel h C + c. */
dv_status dv__write_frames(dv_writer *writer, const dv_node *node)
{
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(node->shape.w),
                       dv_size_of(node->shape.c)};
    int rank = 3;
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_IMAGE);
    x = dv_program_transpose(writer->program, x, (const int[]){0, 3, 2, 1});
    if (node->shape.w == 1) {
        sizes[1] = sizes[2];
        rank = 2;
    }
    dv_writer_set(writer, node, DV_FORM_ROWS, dv_program_reshape(writer->program, x, sizes, rank));
    return DV_OK;
}
