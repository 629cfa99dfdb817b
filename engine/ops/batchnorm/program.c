/* Batch normalisation in a program. With the running statistics it is a scale and a shift of each
   channel, which are folded into a convolution before it. */
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/core/writer.h"
#include "engine/ops/write.h"

#include <math.h>
#include <stdlib.h>

/* Reads scale (channels) = weight / sqrt(var + epsilon), and after it shift (channels) = bias -
   mean scale. */
static dv_status read_line(const dv_writer *writer, const dv_node *node, float **line)
{
    const dv_batchnorm_attr *attr = node->attr;
    const int numbers[4] = {node->params[0], node->params[1], node->states[0], node->states[1]};
    int64_t channels = node->shape.c;
    float *values[4] = {NULL};
    dv_status status = dv_calloc(2 * (size_t)channels, sizeof **line, line);
    for (int i = 0; status == DV_OK && i < 4; i++)
        status = dv_writer_read(writer, numbers[i], &values[i]);
    for (int64_t c = 0; status == DV_OK && c < channels; c++) {
        double scale = (double)values[0][c] / sqrt((double)values[3][c] + attr->epsilon);
        (*line)[c] = (float)scale;
        (*line)[channels + c] = (float)((double)values[1][c] - (double)values[2][c] * scale);
    }
    for (int i = 0; i < 4; i++)
        free(values[i]);
    return status;
}

/* Writes scale and shift as statements. Their constants are (channels, 1, 1), or (channels) for
   DV_FORM_ROWS. */
static dv_value scale_and_shift(dv_writer *writer, const dv_node *node, dv_form form,
                                const float *line, dv_value x)
{
    dv_program *program = writer->program;
    int64_t sizes[] = {node->shape.c, 1, 1};
    int rank = form == DV_FORM_IMAGE ? 3 : 1;
    char name[DV_PROGRAM_NAME];
    snprintf(name, sizeof name, "%s.scale", node->name);
    dv_value scale = dv_program_constant(program, name, writer->element, sizes, rank, line);
    snprintf(name, sizeof name, "%s.shift", node->name);
    dv_value shift =
        dv_program_constant(program, name, writer->element, sizes, rank, line + node->shape.c);
    x = dv_program_binary(program, DV_OPERATOR_Mul, x, scale);
    return dv_program_binary(program, DV_OPERATOR_Add, x, shift);
}

dv_status dv__write_batchnorm(dv_writer *writer, const dv_node *node)
{
    const dv_batchnorm_attr *attr = node->attr;
    dv_form form = dv_writer_form(writer, node, 0);
    dv_value x = dv_writer_input(writer, node, 0, form);
    float *line = NULL;
    dv_status status = read_line(writer, node, &line);
    if (status == DV_OK) {
        if (!dv_writer_alone(writer, node, 0) ||
            !dv_program_fold(writer->program, x, line, line + node->shape.c))
            x = scale_and_shift(writer, node, form, line, x);
        if (node->input_count == 2)
            x = dv_program_binary(writer->program, DV_OPERATOR_Add, x,
                                  dv_writer_input(writer, node, 1, form));
        dv_writer_set(writer, node, form, dv__write_function(writer->program, attr->activation, x));
    }
    free(line);
    return status;
}
