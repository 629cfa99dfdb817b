/* Builds programs: tensors, statements and their names. */
#include "engine/program/program.h"
#include "engine/base/convert.h"
#include "engine/program/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct operator_facts {
    const char *name;
    int least, most;
    dv_attributes_kind attributes;
} operator_facts;

static const operator_facts facts[DV_OPERATOR_COUNT] = {
#define DV_OPERATOR(name, least, most, attributes)                                                 \
    [DV_OPERATOR_##name] = {#name, least, most, DV_ATTRIBUTES_##attributes},
#include "engine/program/operators.def"
#undef DV_OPERATOR
};

const char *dv_operator_name(dv_operator op_type)
{
    return facts[op_type].name;
}

dv_attributes_kind dv_operator_attributes(dv_operator op_type)
{
    return facts[op_type].attributes;
}

const char *dv_symbol_name(dv_symbol symbol)
{
    static const char *const names[DV_SYMBOL_COUNT] = {"", "batch", "samples", "frames"};
    return names[symbol];
}

size_t dv_element_size(dv_element element)
{
    switch (element) {
    case DV_ELEMENT_F32:
        return 4;
    case DV_ELEMENT_F16:
        return 2;
    case DV_ELEMENT_I64:
        return 8;
    case DV_ELEMENT_BOOL:
        break;
    }
    return 1;
}

dv_status dv_program_create(dv_program **out)
{
    return dv_calloc(1, sizeof **out, out);
}

void dv_program_free(dv_program *program)
{
    if (program == NULL)
        return;
    for (size_t i = 0; i < program->tensor_count; i++)
        free(program->tensors[i].data);
    free(program->tensors);
    free(program->statements);
    free(program);
}

/* Keeps the first failure. Returns whether the program has failed. */
static bool failed(dv_program *program, dv_status status)
{
    if (program->status == DV_OK)
        program->status = status;
    return program->status != DV_OK;
}

dv_value dv_program_fail(dv_program *program, dv_status status)
{
    failed(program, status);
    return DV_NO_VALUE;
}

/* ---- Names ---- */

void dv_program_scope(dv_program *program, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(program->scope, sizeof program->scope, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof program->scope)
        failed(program, dv_fail(DV_EARG, "the name '%.40s...' is too long", program->scope));
}

static bool is_name_taken(const dv_program *program, const char *name)
{
    for (size_t i = 0; i < program->tensor_count; i++) {
        if (strcmp(program->tensors[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Makes the name "<scope>/<name>", with the smallest number behind it that makes it unique. */
static dv_status make_name(const dv_program *program, const char *name, char out[DV_PROGRAM_NAME])
{
    const char *slash = program->scope[0] != '\0' ? "/" : "";
    int length = snprintf(out, DV_PROGRAM_NAME, "%s%s%s", program->scope, slash, name);
    for (int number = 1; length < DV_PROGRAM_NAME && is_name_taken(program, out); number++)
        length = snprintf(out, DV_PROGRAM_NAME, "%s%s%s_%d", program->scope, slash, name, number);
    if (length < 0 || length >= DV_PROGRAM_NAME)
        return DV_FAIL(DV_EARG, "the name '%.40s.../%s' is too long", program->scope, name);
    return DV_OK;
}

/* ---- Tensors ---- */

/* Copies `tensor`, and takes over its data. */
static dv_value add_tensor(dv_program *program, const dv_tensor *tensor)
{
    if (failed(program, dv_grow(program->tensor_count, sizeof *tensor, &program->tensor_capacity,
                                &program->tensors)))
        return DV_NO_VALUE;
    program->tensors[program->tensor_count] = *tensor;
    return (dv_value)program->tensor_count++;
}

const dv_tensor *dv_program_tensor(const dv_program *program, dv_value value)
{
    static const dv_tensor none;
    return value == DV_NO_VALUE ? &none : &program->tensors[value];
}

int64_t dv_program_size(const dv_program *program, dv_value value, int axis)
{
    if (value == DV_NO_VALUE)
        return 1;
    const dv_size *size = &program->tensors[value].size[axis];
    DV_ASSERT(axis < program->tensors[value].rank && size->symbol == DV_SYMBOL_NONE);
    return size->add;
}

bool dv_program_known_size(const dv_program *program, dv_size size, int64_t *out)
{
    int64_t symbol = program->known[size.symbol];
    *out = size.symbol == DV_SYMBOL_NONE ? size.add : (symbol + size.add) / size.divide;
    return size.symbol == DV_SYMBOL_NONE || symbol > 0;
}

int64_t dv_tensor_count(const dv_tensor *tensor)
{
    int64_t count = 1;
    for (int axis = 0; axis < tensor->rank; axis++)
        count *= tensor->size[axis].add;
    return count;
}

size_t dv_program_constant_bytes(const dv_program *program)
{
    size_t bytes = 0;
    for (size_t i = 0; i < program->tensor_count; i++) {
        const dv_tensor *tensor = &program->tensors[i];
        if (tensor->data != NULL && tensor->uses > 0)
            bytes += (size_t)dv_tensor_count(tensor) * dv_element_size(tensor->element);
    }
    return bytes;
}

dv_value dv_program_input(dv_program *program, const char *name, dv_element element,
                          const dv_size *sizes, int rank)
{
    dv_tensor tensor = {.element = element, .rank = rank, .statement = -1};
    DV_ASSERT(program->input_count < DV_PROGRAM_ENDS && !is_name_taken(program, name));
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    memcpy(tensor.size, sizes, (size_t)rank * sizeof *sizes);
    dv_value value = add_tensor(program, &tensor);
    if (value != DV_NO_VALUE)
        program->inputs[program->input_count++] = value;
    return value;
}

void dv_program_output(dv_program *program, const char *name, dv_value value)
{
    if (value == DV_NO_VALUE)
        return;
    dv_tensor *tensor = &program->tensors[value];
    DV_ASSERT(program->output_count < DV_PROGRAM_ENDS && tensor->statement >= 0);
    DV_ASSERT(!is_name_taken(program, name));
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    program->outputs[program->output_count++] = value;
}

/* ---- Constants ---- */

/* Bytes of a constant's element before the program is finished. FP16 is FP32 until then. */
static size_t building_size(dv_element element)
{
    return element == DV_ELEMENT_F16 ? sizeof(float) : dv_element_size(element);
}

/* Adds a constant and copies the bytes of its elements. */
static dv_value add_constant(dv_program *program, dv_tensor *tensor, const void *bytes)
{
    size_t size = (size_t)dv_tensor_count(tensor) * building_size(tensor->element);
    tensor->statement = -1;
    if (failed(program, program->status) || failed(program, dv_calloc(1, size, &tensor->data)))
        return DV_NO_VALUE;
    memcpy(tensor->data, bytes, size);
    dv_value value = add_tensor(program, tensor);
    if (value == DV_NO_VALUE)
        free(tensor->data);
    return value;
}

dv_value dv_program_constant(dv_program *program, const char *name, dv_element element,
                             const int64_t *sizes, int rank, const float *values)
{
    dv_tensor tensor = {.element = element, .rank = rank};
    for (int axis = 0; axis < rank; axis++)
        tensor.size[axis] = dv_size_of(sizes[axis]);
    DV_ASSERT(element == DV_ELEMENT_F32 || element == DV_ELEMENT_F16);
    DV_ASSERT(!is_name_taken(program, name));
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    return add_constant(program, &tensor, values);
}

dv_value dv_program_table(dv_program *program, const char *name, const int64_t *sizes, int rank,
                          const float *values)
{
    char full[DV_PROGRAM_NAME];
    if (failed(program, make_name(program, name, full)))
        return DV_NO_VALUE;
    return dv_program_constant(program, full, DV_ELEMENT_F32, sizes, rank, values);
}

dv_value dv_program_integers(dv_program *program, const char *name, int64_t count,
                             const int64_t *values)
{
    dv_tensor tensor = {.element = DV_ELEMENT_I64, .rank = 1, .size = {dv_size_of(count)}};
    if (failed(program, make_name(program, name, tensor.name)))
        return DV_NO_VALUE;
    return add_constant(program, &tensor, values);
}

/* The bytes of the number in a constant before the program is finished. */
static void scalar_bytes(dv_element element, double number, unsigned char bytes[8])
{
    float single = (float)number;
    int64_t integer = (int64_t)number;
    memset(bytes, 0, 8);
    if (element == DV_ELEMENT_I64)
        memcpy(bytes, &integer, sizeof integer);
    else
        memcpy(bytes, &single, sizeof single);
}

dv_value dv_program_scalar(dv_program *program, dv_element element, double number)
{
    static const char *const suffixes[] = {"", "_f16", "_i64"};
    dv_tensor tensor = {.element = element, .rank = 0};
    unsigned char bytes[8];
    DV_ASSERT(element != DV_ELEMENT_BOOL);
    if (failed(program, program->status))
        return DV_NO_VALUE;
    scalar_bytes(element, number, bytes);
    for (size_t i = 0; i < program->tensor_count; i++) {
        const dv_tensor *one = &program->tensors[i];
        if (one->data != NULL && one->rank == 0 && one->element == element &&
            memcmp(one->data, bytes, building_size(element)) == 0)
            return (dv_value)i;
    }
    snprintf(tensor.name, sizeof tensor.name, "number/%.9g%s", number, suffixes[element]);
    return add_constant(program, &tensor, bytes);
}

/* ---- Statements ---- */

/* Names the outputs, and adds them and the statement. Returns the first output. */
static dv_value add_statement(dv_program *program, dv_statement *statement)
{
    dv_tensor outputs[DV_PROGRAM_OUTPUTS] = {0};
    if (failed(program, dv__program_infer(program, statement, outputs)) ||
        failed(program, make_name(program, facts[statement->op_type].name, statement->name)) ||
        failed(program, dv_grow(program->statement_count, sizeof *statement,
                                &program->statement_capacity, &program->statements)))
        return DV_NO_VALUE;
    for (int i = 0; i < statement->output_count; i++) {
        outputs[i].statement = (int)program->statement_count;
        if (failed(program, make_name(program, facts[statement->op_type].name, outputs[i].name)))
            return DV_NO_VALUE;
        statement->outputs[i] = add_tensor(program, &outputs[i]);
    }
    if (failed(program, program->status))
        return DV_NO_VALUE;
    for (int i = 0; i < statement->input_count; i++)
        program->tensors[statement->inputs[i]].uses++;
    program->statements[program->statement_count++] = *statement;
    return statement->outputs[0];
}

dv_value dv_program_add(dv_program *program, dv_operator op_type, const dv_value *inputs,
                        int input_count, const dv_attributes *attributes)
{
    dv_statement statement = {.op_type = op_type, .input_count = input_count, .output_count = 1};
    DV_ASSERT(input_count >= facts[op_type].least && input_count <= facts[op_type].most);
    DV_ASSERT((attributes == NULL) == (facts[op_type].attributes == DV_ATTRIBUTES_NONE));
    if (attributes != NULL)
        statement.attributes = *attributes;
    if (op_type == DV_OPERATOR_Split)
        statement.output_count = attributes->split.parts;
    DV_ASSERT(statement.output_count <= DV_PROGRAM_OUTPUTS);
    if (failed(program, program->status))
        return DV_NO_VALUE;
    for (int i = 0; i < input_count; i++)
        statement.inputs[i] = inputs[i];
    return add_statement(program, &statement);
}

dv_value dv_program_unary(dv_program *program, dv_operator op_type, dv_value x)
{
    return dv_program_add(program, op_type, &x, 1, NULL);
}

dv_value dv_program_binary(dv_program *program, dv_operator op_type, dv_value a, dv_value b)
{
    return dv_program_add(program, op_type, (const dv_value[]){a, b}, 2, NULL);
}

dv_value dv_program_with(dv_program *program, dv_operator op_type, dv_value x, double number)
{
    dv_element element = dv_program_tensor(program, x)->element;
    return dv_program_binary(program, op_type, x, dv_program_scalar(program, element, number));
}

dv_value dv_program_along(dv_program *program, dv_operator op_type, dv_value x, int axis)
{
    return dv_program_add(program, op_type, &x, 1, &(dv_attributes){.axis = axis});
}

dv_value dv_program_reduce(dv_program *program, dv_operator op_type, dv_value x, int first,
                           int second)
{
    dv_attributes attributes = {.axes = {.count = second < 0 ? 1 : 2, .axis = {first, second}}};
    return dv_program_add(program, op_type, &x, 1, &attributes);
}

dv_value dv_program_cast(dv_program *program, dv_value x, dv_element element)
{
    if (dv_program_tensor(program, x)->element == element)
        return x;
    return dv_program_add(program, DV_OPERATOR_Cast, &x, 1, &(dv_attributes){.cast = element});
}

dv_value dv_program_range(dv_program *program, int64_t count)
{
    return dv_program_add(program, DV_OPERATOR_Range, NULL, 0, &(dv_attributes){.count = count});
}

dv_value dv_program_slice(dv_program *program, dv_value x, int axis, int64_t from, int64_t to)
{
    dv_attributes attributes = {.slice = {.axis = axis, .from = from, .to = to}};
    return dv_program_add(program, DV_OPERATOR_Slice, &x, 1, &attributes);
}

dv_value dv_program_pad(dv_program *program, dv_value x, int axis, int64_t before, int64_t after)
{
    dv_attributes attributes = {.pad = {.axis = axis, .before = before, .after = after}};
    if (before == 0 && after == 0)
        return x;
    return dv_program_add(program, DV_OPERATOR_Pad, &x, 1, &attributes);
}

dv_value dv_program_concat(dv_program *program, const dv_value *parts, int count, int axis)
{
    return dv_program_add(program, DV_OPERATOR_Concat, parts, count,
                          &(dv_attributes){.axis = axis});
}

dv_value dv_program_reshape(dv_program *program, dv_value x, const dv_size *sizes, int rank)
{
    dv_attributes attributes = {.reshape = {.rank = rank}};
    memcpy(attributes.reshape.size, sizes, (size_t)rank * sizeof *sizes);
    return dv_program_add(program, DV_OPERATOR_Reshape, &x, 1, &attributes);
}

dv_value dv_program_transpose(dv_program *program, dv_value x, const int *axes)
{
    dv_attributes attributes = {.axes = {.count = dv_program_tensor(program, x)->rank}};
    memcpy(attributes.axes.axis, axes, (size_t)attributes.axes.count * sizeof *axes);
    return dv_program_add(program, DV_OPERATOR_Transpose, &x, 1, &attributes);
}

void dv_program_split(dv_program *program, dv_value x, int axis, int parts, dv_value *out)
{
    dv_attributes attributes = {.split = {.axis = axis, .parts = parts}};
    dv_value first = dv_program_add(program, DV_OPERATOR_Split, &x, 1, &attributes);
    for (int i = 0; i < parts; i++)
        out[i] = first == DV_NO_VALUE ? DV_NO_VALUE : first + i;
}

/* ---- Finishing ---- */

/* Rounds a constant's floats to FP16 in place. */
static dv_status round_to_half(dv_tensor *tensor)
{
    int64_t count = dv_tensor_count(tensor);
    float *values = tensor->data;
    uint16_t *halves;
    DV_TRY(dv_calloc((size_t)count, sizeof *halves, &halves));
    int64_t large = dv_round_to_half(values, count, halves);
    if (large >= 0) {
        free(halves);
        return DV_FAIL(DV_ENUMERIC, "%s: %g is too large for fp16", tensor->name,
                       (double)values[large]);
    }
    free(values);
    tensor->data = halves;
    return DV_OK;
}

dv_status dv_program_finish(dv_program *program)
{
    DV_TRY(program->status);
    for (size_t i = 0; i < program->tensor_count; i++) {
        dv_tensor *tensor = &program->tensors[i];
        if (tensor->data != NULL && tensor->element == DV_ELEMENT_F16)
            DV_TRY(round_to_half(tensor));
    }
    return DV_OK;
}
