/* Self-attention in a program. */
#include "engine/ops/attention/attention.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

#include <math.h>

/* (N, T, C) -> (N, heads, T, D) or (N, heads, D, T), as `order` says. */
static dv_value heads_of(dv_writer *writer, dv_value x, int64_t heads, const int order[4])
{
    int64_t frames = dv_program_size(writer->program, x, 1);
    int64_t channels = dv_program_size(writer->program, x, 2);
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(frames), dv_size_of(heads),
                       dv_size_of(channels / heads)};
    x = dv_program_reshape(writer->program, x, sizes, 4);
    return dv_program_transpose(writer->program, x, order);
}

/* softmax(q k^T / sqrt(D)) v for all heads, side by side. */
static dv_value attend(dv_writer *writer, const dv_node *node, int64_t heads,
                       const dv_value parts[3])
{
    dv_program *program = writer->program;
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(node->shape.w),
                       dv_size_of(node->shape.c)};
    dv_value q = heads_of(writer, parts[0], heads, (const int[]){0, 2, 1, 3});
    dv_value k = heads_of(writer, parts[1], heads, (const int[]){0, 2, 3, 1});
    dv_value v = heads_of(writer, parts[2], heads, (const int[]){0, 2, 1, 3});
    dv_value p = dv_program_binary(program, DV_OPERATOR_MatMul, q, k);
    p = dv_program_with(program, DV_OPERATOR_Mul, p,
                        1 / sqrt((double)node->shape.c / (double)heads));
    p = dv_program_along(program, DV_OPERATOR_Softmax, p, 3);
    dv_value y = dv_program_binary(program, DV_OPERATOR_MatMul, p, v);
    y = dv_program_transpose(program, y, (const int[]){0, 2, 1, 3});
    return dv_program_reshape(program, y, sizes, 3);
}

/* For a single frame the softmax is 1, so the result is v. */
dv_status dv__write_attention(dv_writer *writer, const dv_node *node)
{
    int64_t heads = ((const dv_attention_attr *)node->attr)->heads;
    dv_value x = dv_writer_input(writer, node, 0, DV_FORM_ROWS), parts[3];
    bool one_frame = node->shape.w == 1;
    dv_program_split(writer->program, x, one_frame ? 1 : 2, 3, parts);
    dv_writer_set(writer, node, DV_FORM_ROWS,
                  one_frame ? parts[2] : attend(writer, node, heads, parts));
    return DV_OK;
}
