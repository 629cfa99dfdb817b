/* Walks over a graph and writes it into a program. Has the functions that the operations' rules
   use. */
#include "engine/core/writer.h"
#include "engine/core/params.h"

#include <stdlib.h>

static struct dv_written *of_input(const dv_writer *writer, const dv_node *node, int i)
{
    return &writer->written[node->inputs[i]];
}

static dv_size batch(void)
{
    return dv_size_symbol(DV_SYMBOL_BATCH);
}

/* ---- Between the two forms ---- */

/* (N, C, H, W) -> (N, H W, C), or (N, C). */
static dv_value to_rows(dv_program *program, dv_shape shape, dv_value image)
{
    int64_t positions = shape.h * shape.w;
    if (positions == 1)
        return dv_program_reshape(program, image, (dv_size[]){batch(), dv_size_of(shape.c)}, 2);
    dv_size sizes[] = {batch(), dv_size_of(shape.c), dv_size_of(positions)};
    dv_value flat = dv_program_reshape(program, image, sizes, 3);
    return dv_program_transpose(program, flat, (const int[]){0, 2, 1});
}

static dv_value to_image(dv_program *program, dv_shape shape, dv_value rows)
{
    dv_size sizes[] = {batch(), dv_size_of(shape.c), dv_size_of(shape.h), dv_size_of(shape.w)};
    if (shape.h * shape.w > 1)
        rows = dv_program_transpose(program, rows, (const int[]){0, 2, 1});
    return dv_program_reshape(program, rows, sizes, 4);
}

static dv_value value_of(dv_writer *writer, int node, dv_form form)
{
    struct dv_written *written = &writer->written[node];
    dv_shape shape = writer->graph->nodes[node].shape;
    if (written->form[form] == DV_NO_VALUE) {
        dv_value other = written->form[written->first];
        written->form[form] = form == DV_FORM_ROWS ? to_rows(writer->program, shape, other)
                                                   : to_image(writer->program, shape, other);
    }
    return written->form[form];
}

/* ---- For rules ---- */

dv_value dv_writer_input(dv_writer *writer, const dv_node *node, int i, dv_form form)
{
    return value_of(writer, node->inputs[i], form);
}

dv_form dv_writer_form(const dv_writer *writer, const dv_node *node, int i)
{
    return of_input(writer, node, i)->first;
}

void dv_writer_set(dv_writer *writer, const dv_node *node, dv_form form, dv_value value)
{
    writer->written[node->id].form[form] = value;
    writer->written[node->id].first = form;
}

bool dv_writer_alone(const dv_writer *writer, const dv_node *node, int i)
{
    return of_input(writer, node, i)->users == 1;
}

dv_status dv_writer_read(const dv_writer *writer, int param, float **values)
{
    const dv_params *params = writer->graph->params;
    DV_TRY(dv_calloc((size_t)params->items[param].count, sizeof **values, values));
    dv_status status = dv_params_read(params, param, DV_BUFFER_VALUES, *values);
    if (status != DV_OK) {
        free(*values);
        *values = NULL;
    }
    return status;
}

dv_value dv_writer_param(dv_writer *writer, const dv_node *node, int i, const int64_t *sizes,
                         int rank)
{
    float *values;
    const char *name = writer->graph->params->items[node->params[i]].name;
    dv_status status = dv_writer_read(writer, node->params[i], &values);
    if (status != DV_OK)
        return dv_program_fail(writer->program, status);
    dv_value value =
        dv_program_constant(writer->program, name, writer->element, sizes, rank, values);
    free(values);
    return value;
}

/* Transposes values (units, channels) into turned (channels, units). */
static void turn(const dv_param *param, const float *values, float *turned)
{
    int64_t units = param->dim[0], channels = param->dim[1];
    for (int64_t k = 0; k < param->count; k++)
        turned[k % channels * units + k / channels] = values[k];
}

dv_value dv_writer_transposed(dv_writer *writer, const dv_node *node, int i)
{
    const dv_param *param = &writer->graph->params->items[node->params[i]];
    const int64_t sizes[] = {param->dim[1], param->dim[0]};
    float *values, *turned = NULL;
    dv_value value = DV_NO_VALUE;
    dv_status status = dv_writer_read(writer, node->params[i], &values);
    if (status == DV_OK)
        status = dv_calloc((size_t)param->count, sizeof *turned, &turned);
    if (status == DV_OK) {
        turn(param, values, turned);
        value =
            dv_program_constant(writer->program, param->name, writer->element, sizes, 2, turned);
    } else {
        dv_program_fail(writer->program, status);
    }
    free(values);
    free(turned);
    return value;
}

/* ---- The walk ---- */

/* A node that only matters in training (dropout) passes its input on. Its users count as users of
   the input. */
static void pass_on(dv_writer *writer, const dv_node *node)
{
    writer->written[node->id].users += of_input(writer, node, 0)->users - 1;
    writer->written[node->id].first = of_input(writer, node, 0)->first;
    for (int form = 0; form < DV_FORM_COUNT; form++)
        writer->written[node->id].form[form] = of_input(writer, node, 0)->form[form];
}

static dv_status write_node(dv_writer *writer, const dv_node *node)
{
    dv_program_scope(writer->program, "network/%s", node->name);
    if (node->op->training_only) {
        pass_on(writer, node);
        return DV_OK;
    }
    if (node->op->write == NULL)
        return DV_FAIL(DV_ECONFIG, "'%s': the operation %s cannot be exported", node->name,
                       node->op->name);
    return node->op->write(writer, node);
}

static void write_inputs(dv_writer *writer, const dv_writer_request *request)
{
    for (int i = 0; i < request->input_count; i++) {
        const dv_node *node = &request->graph->nodes[request->inputs[i]];
        dv_program_scope(request->program, "network/%s", node->name);
        dv_writer_set(writer, node, DV_FORM_IMAGE,
                      dv_program_cast(request->program, request->values[i], request->element));
    }
}

/* Marks the nodes on which the output depends, and counts their users. */
static void count_users(dv_writer *writer, int output)
{
    writer->written[output].users = 1;
    for (int id = output; id >= 0; id--) {
        const dv_node *node = &writer->graph->nodes[id];
        for (int i = 0; writer->written[id].users > 0 && i < node->input_count; i++)
            writer->written[node->inputs[i]].users++;
    }
}

static dv_status walk(dv_writer *writer, const dv_writer_request *request, dv_value *value)
{
    dv_program *program = request->program;
    count_users(writer, request->output);
    write_inputs(writer, request);
    for (int id = 0; id <= request->output; id++) {
        const dv_node *node = &request->graph->nodes[id];
        if (node->op != &dv_op_input && writer->written[id].users > 0)
            DV_TRY(write_node(writer, node));
    }
    dv_program_scope(program, "network");
    *value =
        dv_program_cast(program, value_of(writer, request->output, DV_FORM_ROWS), DV_ELEMENT_F32);
    return DV_OK;
}

dv_status dv_writer_run(const dv_writer_request *request, dv_value *value)
{
    dv_writer writer = {
        .program = request->program, .graph = request->graph, .element = request->element};
    size_t count = (size_t)request->graph->count;
    DV_TRY(dv_calloc(count, sizeof *writer.written, &writer.written));
    for (size_t i = 0; i < count; i++) {
        for (int form = 0; form < DV_FORM_COUNT; form++)
            writer.written[i].form[form] = DV_NO_VALUE;
    }
    dv_status status = walk(&writer, request, value);
    free(writer.written);
    return status;
}
