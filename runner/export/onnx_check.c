/* Reads exported ONNX models again. */
#include "runner/export/onnx.h"
#include "runner/export/onnx_fields.h"

#include <inttypes.h>
#include <string.h>

/* The counts of the parts of a graph. */
typedef struct found {
    size_t nodes, constants, inputs, outputs;
    size_t bytes; /* sum over the constants */
} found;

static bool is_text(const dv_protobuf_field *field, const char *text)
{
    return field->content.size == strlen(text) &&
           memcmp(field->content.bytes, text, field->content.size) == 0;
}

/* Counts a constant. It must have as many bytes as its sizes and its type require. */
static dv_status check_constant(dv_protobuf_reader tensor, found *out)
{
    uint64_t count = 1, type = 0;
    size_t bytes = 0, element = 0;
    dv_protobuf_field field;
    do {
        DV_TRY(dv_protobuf_next(&tensor, &field));
        if (field.number == TENSOR_DIMS)
            count *= field.integer;
        if (field.number == TENSOR_DATA_TYPE)
            type = field.integer;
        if (field.number == TENSOR_RAW_DATA)
            bytes = field.content.size;
    } while (field.number != 0);
    for (int i = DV_ELEMENT_F32; i <= DV_ELEMENT_BOOL; i++) {
        if (type == (uint64_t)dv__onnx_type((dv_element)i))
            element = dv_element_size((dv_element)i);
    }
    if (element == 0 || count * element != bytes)
        return DV_FAIL(DV_EFORMAT, "one of the constants has %zu bytes for %" PRIu64 " elements",
                       bytes, count);
    out->constants++;
    out->bytes += bytes;
    return DV_OK;
}

static dv_status check_name(dv_protobuf_reader info, const dv_program *program, dv_value value)
{
    dv_protobuf_field field;
    DV_TRY(dv_protobuf_next(&info, &field));
    if (field.number != INFO_NAME || !is_text(&field, program->tensors[value].name))
        return DV_FAIL(DV_EFORMAT, "the constant '%s' is not where it should be",
                       program->tensors[value].name);
    return DV_OK;
}

/* Counts the parts of the graph. Inputs and outputs must have the program's names, in its order. */
static dv_status check_graph(dv_protobuf_reader graph, const dv_program *program, found *out)
{
    dv_protobuf_field field;
    do {
        DV_TRY(dv_protobuf_next(&graph, &field));
        switch (field.number) {
        case GRAPH_NODE:
            out->nodes++;
            break;
        case GRAPH_INITIALIZER:
            DV_TRY(check_constant(field.content, out));
            break;
        case GRAPH_INPUT:
            if (out->inputs < (size_t)program->input_count)
                DV_TRY(check_name(field.content, program, program->inputs[out->inputs]));
            out->inputs++;
            break;
        case GRAPH_OUTPUT:
            if (out->outputs < (size_t)program->output_count)
                DV_TRY(check_name(field.content, program, program->outputs[out->outputs]));
            out->outputs++;
            break;
        default:
            break;
        }
    } while (field.number != 0);
    return DV_OK;
}

/* Counts all parts of the model, then compares the counts with the program. */
dv_status dv_onnx_check(const dv_exported *exported, const dv_protobuf *bytes)
{
    const dv_program *program = exported->program;
    dv_protobuf_reader model = {bytes->bytes, bytes->size};
    dv_protobuf_field field;
    found out = {0};
    size_t notes = 0, graphs = 0;
    do {
        DV_TRY(dv_protobuf_next(&model, &field));
        if (field.number == MODEL_GRAPH)
            DV_TRY(check_graph(field.content, program, &out));
        graphs += field.number == MODEL_GRAPH;
        notes += field.number == MODEL_METADATA;
    } while (field.number != 0);
    size_t constants = dv_program_constant_bytes(program);
    if (graphs != 1 || notes != exported->note_count || out.nodes < program->statement_count ||
        out.bytes < constants || out.inputs != (size_t)program->input_count ||
        out.outputs != (size_t)program->output_count)
        return DV_FAIL(DV_EFORMAT,
                       "%zu nodes, %zu bytes of constants and %zu notes were read again, and %zu "
                       "statements, %zu bytes and %zu notes were written",
                       out.nodes, out.bytes, notes, program->statement_count, constants,
                       exported->note_count);
    return DV_OK;
}
