/* Writes programs as ONNX models. */
#include "runner/export/onnx.h"
#include "runner/export/onnx_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 8, OPSET = 17, MAX_LIST = 2 * DV_PROGRAM_AXES, LIST_NAME = 32 };

/* Integers that an operator takes as an input. Equal lists share one constant. */
typedef struct list {
    int64_t numbers[MAX_LIST];
    int count;
    bool scalar; /* a tensor without axes */
} list;

typedef struct writer {
    const dv_program *program;
    dv_protobuf graph;
    list *lists; /* (list_count), owned */
    size_t list_count, list_capacity;
} writer;

/* ---- Nodes ---- */

typedef struct node {
    dv_protobuf message;
    writer *writer;
} node;

static node begin_node(writer *w)
{
    return (node){.writer = w};
}

static void add_input(node *n, dv_value value)
{
    dv_protobuf_text(&n->message, NODE_INPUT, n->writer->program->tensors[value].name);
}

/* Finds the index of an equal list, or adds the list. If memory runs out, the graph fails. */
static size_t place_of(writer *w, const list *numbers)
{
    for (size_t i = 0; i < w->list_count; i++) {
        const list *one = &w->lists[i];
        if (one->count == numbers->count && one->scalar == numbers->scalar &&
            memcmp(one->numbers, numbers->numbers, (size_t)one->count * sizeof(int64_t)) == 0)
            return i;
    }
    dv_status status = dv_grow(w->list_count, sizeof *w->lists, &w->list_capacity, &w->lists);
    if (status != DV_OK) {
        w->graph.status = status;
        return 0;
    }
    w->lists[w->list_count] = *numbers;
    return w->list_count++;
}

static void list_name(size_t place, char name[LIST_NAME])
{
    snprintf(name, LIST_NAME, "integers/%zu", place);
}

static void add_list(node *n, const int64_t *numbers, int count)
{
    list entry = {.count = count < 0 ? 1 : count, .scalar = count < 0};
    char name[LIST_NAME];
    memcpy(entry.numbers, numbers, (size_t)entry.count * sizeof *numbers);
    list_name(place_of(n->writer, &entry), name);
    dv_protobuf_text(&n->message, NODE_INPUT, name);
}

static void add_number(node *n, int64_t number)
{
    add_list(n, &number, 1);
}

static void add_scalar(node *n, int64_t number)
{
    add_list(n, &number, -1);
}

static void add_integer(node *n, const char *name, int64_t value)
{
    dv_protobuf attribute = {0};
    dv_protobuf_text(&attribute, ATTRIBUTE_NAME, name);
    dv_protobuf_integer(&attribute, ATTRIBUTE_INT, value);
    dv_protobuf_integer(&attribute, ATTRIBUTE_TYPE, TYPE_INT);
    dv_protobuf_message(&n->message, NODE_ATTRIBUTE, &attribute);
}

static void add_float(node *n, const char *name, double value)
{
    dv_protobuf attribute = {0};
    dv_protobuf_text(&attribute, ATTRIBUTE_NAME, name);
    dv_protobuf_float(&attribute, ATTRIBUTE_FLOAT, (float)value);
    dv_protobuf_integer(&attribute, ATTRIBUTE_TYPE, TYPE_FLOAT);
    dv_protobuf_message(&n->message, NODE_ATTRIBUTE, &attribute);
}

static void add_integers(node *n, const char *name, const int64_t *values, int count)
{
    dv_protobuf attribute = {0};
    dv_protobuf_text(&attribute, ATTRIBUTE_NAME, name);
    for (int i = 0; i < count; i++)
        dv_protobuf_integer(&attribute, ATTRIBUTE_INTS, values[i]);
    dv_protobuf_integer(&attribute, ATTRIBUTE_TYPE, TYPE_INTS);
    dv_protobuf_message(&n->message, NODE_ATTRIBUTE, &attribute);
}

static void end_node(node *n, const char *op_type, const char *name)
{
    dv_protobuf_text(&n->message, NODE_NAME, name);
    dv_protobuf_text(&n->message, NODE_OP_TYPE, op_type);
    dv_protobuf_message(&n->writer->graph, GRAPH_NODE, &n->message);
}

static void add_output(node *n, const char *name)
{
    dv_protobuf_text(&n->message, NODE_OUTPUT, name);
}

/* ---- Attributes ---- */

static void write_window(node *n, const dv_statement *statement)
{
    const dv_window *w = &statement->attributes.window;
    int64_t padding[4];
    for (int i = 0; i < w->axes; i++)
        padding[i] = padding[w->axes + i] = w->padding[i];
    add_integers(n, "kernel_shape", w->kernel, w->axes);
    add_integers(n, "strides", w->stride, w->axes);
    add_integers(n, "pads", padding, 2 * w->axes);
    if (statement->op_type == DV_OPERATOR_Conv) {
        add_integers(n, "dilations", w->dilation, w->axes);
        add_integer(n, "group", w->groups);
    }
    if (statement->op_type == DV_OPERATOR_AveragePool)
        add_integer(n, "count_include_pad", 1);
}

static void write_pad(node *n, const dv_statement *statement)
{
    int rank = n->writer->program->tensors[statement->inputs[0]].rank;
    int64_t amounts[2 * DV_PROGRAM_AXES] = {0};
    amounts[statement->attributes.pad.axis] = statement->attributes.pad.before;
    amounts[rank + statement->attributes.pad.axis] = statement->attributes.pad.after;
    add_list(n, amounts, 2 * rank);
}

static void write_slice(node *n, const dv_statement *statement)
{
    int64_t to = statement->attributes.slice.to;
    add_number(n, statement->attributes.slice.from);
    add_number(n, to == DV_TO_THE_END ? INT64_MAX : to);
    add_number(n, statement->attributes.slice.axis);
}

/* In ONNX, size 0 keeps that of the input, and -1 takes what is left. */
static void write_reshape(node *n, const dv_statement *statement)
{
    const dv_tensor *x = &n->writer->program->tensors[statement->inputs[0]];
    int64_t sizes[DV_PROGRAM_AXES];
    int rank = statement->attributes.reshape.rank;
    for (int axis = 0; axis < rank; axis++) {
        const dv_size *size = &statement->attributes.reshape.size[axis];
        bool same = axis < x->rank && dv_size_equal(*size, x->size[axis]);
        sizes[axis] = size->symbol == DV_SYMBOL_NONE ? size->add : same ? 0 : -1;
    }
    add_list(n, sizes, rank);
}

/* Writes the axes as an attribute or as an input, as the operator requires. */
static void write_axes(node *n, const dv_statement *statement)
{
    int64_t axes[DV_PROGRAM_AXES];
    int count = statement->attributes.axes.count;
    for (int i = 0; i < count; i++)
        axes[i] = statement->attributes.axes.axis[i];
    if (statement->op_type == DV_OPERATOR_Transpose)
        add_integers(n, "perm", axes, count);
    else if (statement->op_type == DV_OPERATOR_ReduceSum)
        add_list(n, axes, count);
    else
        add_integers(n, "axes", axes, count);
}

static void write_axis(node *n, const dv_statement *statement)
{
    int axis = statement->attributes.axis;
    switch (statement->op_type) {
    case DV_OPERATOR_Unsqueeze:
    case DV_OPERATOR_Squeeze:
        add_number(n, axis);
        break;
    case DV_OPERATOR_CumSum:
        add_scalar(n, axis);
        break;
    default:
        add_integer(n, "axis", axis);
        break;
    }
}

/* Writes the attributes of a statement. Some of them are inputs in ONNX. */
static void write_attributes(node *n, const dv_statement *statement)
{
    const dv_attributes *attributes = &statement->attributes;
    switch (dv_operator_attributes(statement->op_type)) {
    case DV_ATTRIBUTES_AXIS:
        write_axis(n, statement);
        break;
    case DV_ATTRIBUTES_AXES:
        write_axes(n, statement);
        break;
    case DV_ATTRIBUTES_CAST:
        add_integer(n, "to", dv__onnx_type(attributes->cast));
        break;
    case DV_ATTRIBUTES_COUNT:
        add_scalar(n, 0);
        add_scalar(n, attributes->count);
        add_scalar(n, 1);
        break;
    case DV_ATTRIBUTES_WINDOW:
        write_window(n, statement);
        break;
    case DV_ATTRIBUTES_NORM:
        add_float(n, "epsilon", attributes->epsilon);
        break;
    case DV_ATTRIBUTES_SPLIT:
        add_integer(n, "axis", attributes->split.axis);
        break;
    case DV_ATTRIBUTES_SLICE:
        write_slice(n, statement);
        break;
    case DV_ATTRIBUTES_PAD:
        write_pad(n, statement);
        break;
    case DV_ATTRIBUTES_RESHAPE:
        write_reshape(n, statement);
        break;
    case DV_ATTRIBUTES_NONE:
        if (statement->op_type == DV_OPERATOR_Gemm)
            add_integer(n, "transB", 1);
        break;
    }
}

/* ---- Statements ---- */

/* Writes the size of an axis of the input as a tensor with one element. `name` is its name. */
static void write_shape(writer *w, const dv_statement *statement, const char *name)
{
    int axis = statement->attributes.axis;
    node n = begin_node(w);
    add_input(&n, statement->inputs[0]);
    add_output(&n, name);
    add_integer(&n, "start", axis);
    add_integer(&n, "end", axis + 1);
    end_node(&n, "Shape", name);
}

/* Writes the size of an axis as a scalar: Shape, then Squeeze. */
static void write_size(writer *w, const dv_statement *statement)
{
    char name[DV_PROGRAM_NAME + 8];
    snprintf(name, sizeof name, "%s/shape", statement->name);
    write_shape(w, statement, name);
    node n = begin_node(w);
    dv_protobuf_text(&n.message, NODE_INPUT, name);
    add_number(&n, 0);
    add_output(&n, w->program->tensors[statement->outputs[0]].name);
    end_node(&n, "Squeeze", statement->name);
}

/* Writes a sort as TopK of all elements, the smallest first. Their number is a constant if it is
   known. */
static void write_sort(writer *w, const dv_statement *statement)
{
    const dv_tensor *x = &w->program->tensors[statement->inputs[0]];
    int64_t count;
    char name[DV_PROGRAM_NAME + 8];
    bool known = dv_program_known_size(w->program, x->size[statement->attributes.axis], &count);
    snprintf(name, sizeof name, "%s/shape", statement->name);
    if (!known)
        write_shape(w, statement, name);
    node n = begin_node(w);
    add_input(&n, statement->inputs[0]);
    if (known)
        add_number(&n, count);
    else
        dv_protobuf_text(&n.message, NODE_INPUT, name);
    add_output(&n, w->program->tensors[statement->outputs[0]].name);
    snprintf(name, sizeof name, "%s/places", statement->name);
    add_output(&n, name);
    add_integer(&n, "axis", statement->attributes.axis);
    add_integer(&n, "largest", 0);
    end_node(&n, "TopK", statement->name);
}

static void write_statement(writer *w, const dv_statement *statement)
{
    if (statement->op_type == DV_OPERATOR_Size) {
        write_size(w, statement);
        return;
    }
    if (statement->op_type == DV_OPERATOR_Sort) {
        write_sort(w, statement);
        return;
    }
    node n = begin_node(w);
    for (int i = 0; i < statement->input_count; i++)
        add_input(&n, statement->inputs[i]);
    for (int i = 0; i < statement->output_count; i++)
        add_output(&n, w->program->tensors[statement->outputs[i]].name);
    write_attributes(&n, statement);
    end_node(&n, dv_operator_name(statement->op_type), statement->name);
}

/* ---- The rest of the graph ---- */

static void write_initializer(writer *w, const char *name, dv_element element, const int64_t *sizes,
                              int rank, const void *data, size_t bytes)
{
    dv_protobuf tensor = {0};
    for (int axis = 0; axis < rank; axis++)
        dv_protobuf_integer(&tensor, TENSOR_DIMS, sizes[axis]);
    dv_protobuf_integer(&tensor, TENSOR_DATA_TYPE, dv__onnx_type(element));
    dv_protobuf_text(&tensor, TENSOR_NAME, name);
    dv_protobuf_bytes(&tensor, TENSOR_RAW_DATA, data, bytes);
    dv_protobuf_message(&w->graph, GRAPH_INITIALIZER, &tensor);
}

/* Writes the used constants, and the integers that operators take as inputs. */
static void write_constants(writer *w)
{
    for (size_t i = 0; i < w->program->tensor_count; i++) {
        const dv_tensor *tensor = &w->program->tensors[i];
        int64_t sizes[DV_PROGRAM_AXES];
        if (tensor->data == NULL || tensor->uses == 0)
            continue;
        for (int axis = 0; axis < tensor->rank; axis++)
            sizes[axis] = tensor->size[axis].add;
        write_initializer(w, tensor->name, tensor->element, sizes, tensor->rank, tensor->data,
                          (size_t)dv_tensor_count(tensor) * dv_element_size(tensor->element));
    }
    for (size_t i = 0; i < w->list_count; i++) {
        const list *one = &w->lists[i];
        char name[LIST_NAME];
        list_name(i, name);
        write_initializer(w, name, DV_ELEMENT_I64, (const int64_t[]){one->count},
                          one->scalar ? 0 : 1, one->numbers, (size_t)one->count * sizeof(int64_t));
    }
}

/* Writes the description of an input or an output: name, element type and sizes. */
static void write_info(writer *w, int field, const dv_tensor *tensor)
{
    dv_protobuf info = {0}, type = {0}, tensor_type = {0}, shape = {0};
    for (int axis = 0; axis < tensor->rank; axis++) {
        dv_protobuf dim = {0};
        int64_t size;
        if (dv_program_known_size(w->program, tensor->size[axis], &size))
            dv_protobuf_integer(&dim, DIM_VALUE, size);
        else
            dv_protobuf_text(&dim, DIM_PARAM, dv_symbol_name(tensor->size[axis].symbol));
        dv_protobuf_message(&shape, SHAPE_DIM, &dim);
    }
    dv_protobuf_integer(&tensor_type, TENSOR_TYPE_ELEMENT, dv__onnx_type(tensor->element));
    dv_protobuf_message(&tensor_type, TENSOR_TYPE_SHAPE, &shape);
    dv_protobuf_message(&type, TYPE_TENSOR, &tensor_type);
    dv_protobuf_text(&info, INFO_NAME, tensor->name);
    dv_protobuf_message(&info, INFO_TYPE, &type);
    dv_protobuf_message(&w->graph, field, &info);
}

static void write_graph(writer *w)
{
    const dv_program *program = w->program;
    dv_protobuf_text(&w->graph, GRAPH_NAME, "decavox");
    for (size_t i = 0; i < program->statement_count; i++)
        write_statement(w, &program->statements[i]);
    write_constants(w);
    for (int i = 0; i < program->input_count; i++)
        write_info(w, GRAPH_INPUT, &program->tensors[program->inputs[i]]);
    for (int i = 0; i < program->output_count; i++)
        write_info(w, GRAPH_OUTPUT, &program->tensors[program->outputs[i]]);
}

/* Writes the graph first, then the model around it. */
dv_status dv_onnx_write(const dv_exported *exported, dv_protobuf *out)
{
    writer w = {.program = exported->program};
    dv_protobuf opset = {0};
    *out = (dv_protobuf){0};
    write_graph(&w);
    free(w.lists);
    dv_protobuf_integer(out, MODEL_IR_VERSION, IR_VERSION);
    dv_protobuf_text(out, MODEL_PRODUCER_NAME, "decavox");
    dv_protobuf_text(out, MODEL_PRODUCER_VERSION, dv_version());
    dv_protobuf_text(out, MODEL_DOC_STRING, exported->description);
    dv_protobuf_message(out, MODEL_GRAPH, &w.graph);
    dv_protobuf_integer(&opset, OPSET_VERSION, OPSET);
    dv_protobuf_message(out, MODEL_OPSET_IMPORT, &opset);
    for (size_t i = 0; i < exported->note_count; i++) {
        dv_protobuf entry = {0};
        dv_protobuf_text(&entry, ENTRY_KEY, exported->notes[i].key);
        dv_protobuf_text(&entry, ENTRY_VALUE, exported->notes[i].text);
        dv_protobuf_message(out, MODEL_METADATA, &entry);
    }
    dv_status status = out->status;
    if (status == DV_OK && out->size > INT32_MAX)
        status = DV_FAIL(DV_EUNSUPPORTED,
                         "the model has %zu bytes, and ONNX files cannot have more than %d; the "
                         "formats torchscript and pt2 can",
                         out->size, INT32_MAX);
    if (status != DV_OK)
        dv_protobuf_free(out);
    return status;
}
