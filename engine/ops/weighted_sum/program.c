/* A weighted sum in a program. The shares are constants. */
#include "engine/core/writer.h"
#include "engine/ops/write.h"

#include <math.h>
#include <stdlib.h>

/* Replaces weight (count) by the shares softmax(weight). */
static void to_shares(float *weight, int count)
{
    double sum = 0, largest = (double)weight[0];
    for (int i = 1; i < count; i++)
        largest = fmax(largest, (double)weight[i]);
    for (int i = 0; i < count; i++)
        sum += exp((double)weight[i] - largest);
    for (int i = 0; i < count; i++)
        weight[i] = (float)(exp((double)weight[i] - largest) / sum);
}

dv_status dv__write_weighted_sum(dv_writer *writer, const dv_node *node)
{
    dv_form form = dv_writer_form(writer, node, 0);
    dv_value sum = DV_NO_VALUE;
    float *shares;
    DV_TRY(dv_writer_read(writer, node->params[0], &shares));
    to_shares(shares, node->input_count);
    for (int i = 0; i < node->input_count; i++) {
        dv_value part = dv_program_with(writer->program, DV_OPERATOR_Mul,
                                        dv_writer_input(writer, node, i, form), (double)shares[i]);
        sum = i == 0 ? part : dv_program_binary(writer->program, DV_OPERATOR_Add, sum, part);
    }
    free(shares);
    dv_writer_set(writer, node, form, sum);
    return DV_OK;
}
