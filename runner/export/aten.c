/* Translates each operator of programs to ATen. */
#include "runner/export/aten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Arguments ---- */

static dv_aten_argument *add(dv_aten_call *call, const char *name, dv_aten_kind kind)
{
    DV_ASSERT(call->argument_count < DV_ATEN_ARGUMENTS);
    dv_aten_argument *argument = &call->arguments[call->argument_count++];
    *argument = (dv_aten_argument){.name = name, .kind = kind};
    return argument;
}

/* Adds the statement's input i as an argument, or None if the statement does not have it. */
static void add_tensor(dv_aten_call *call, const char *name, const dv_statement *statement, int i)
{
    bool given = i < statement->input_count;
    dv_aten_argument *argument = add(call, name, given ? DV_ATEN_TENSOR : DV_ATEN_NONE);
    argument->tensors[0] = given ? statement->inputs[i] : DV_NO_VALUE;
}

static void add_integer(dv_aten_call *call, const char *name, int64_t value)
{
    add(call, name, DV_ATEN_INTEGER)->integers[0] = value;
}

static void add_bool(dv_aten_call *call, const char *name, bool value)
{
    add(call, name, DV_ATEN_BOOL)->integers[0] = value;
}

static void add_element(dv_aten_call *call, const char *name, dv_element element)
{
    add(call, name, DV_ATEN_ELEMENT)->element = element;
}

static void add_integers(dv_aten_call *call, const char *name, const int64_t *values, int count)
{
    dv_aten_argument *argument = add(call, name, DV_ATEN_INTEGERS);
    DV_ASSERT(count <= DV_ATEN_LIST);
    argument->count = count;
    for (int i = 0; i < count; i++)
        argument->integers[i] = values[i];
}

static void add_axes(dv_aten_call *call, const char *name, const dv_statement *statement)
{
    int64_t axes[DV_PROGRAM_AXES];
    int count = statement->attributes.axes.count;
    for (int i = 0; i < count; i++)
        axes[i] = statement->attributes.axes.axis[i];
    add_integers(call, name, axes, count);
}

/* ---- Rules: the arguments of a call whose function and output are set ---- */

typedef void rule(const dv_program *program, const dv_statement *statement, dv_aten_call *call);

static void unary(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    (void)program;
    add_tensor(call, "self", statement, 0);
}

static void binary(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    unary(program, statement, call);
    add_tensor(call, "other", statement, 1);
}

/* Integers of programs are never negative, so the direction of rounding does not matter. */
static void divide(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    if (program->tensors[call->output].element == DV_ELEMENT_I64) {
        call->function = "floor_divide";
        call->overload = "default";
    }
    binary(program, statement, call);
}

static void where(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    (void)program;
    add_tensor(call, "condition", statement, 0);
    add_tensor(call, "self", statement, 1);
    add_tensor(call, "other", statement, 2);
}

static void cast(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    unary(program, statement, call);
    add_element(call, "dtype", statement->attributes.cast);
}

static void along(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    unary(program, statement, call);
    add_integer(call, "dim", statement->attributes.axis);
}

static void arg_max(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    along(program, statement, call);
    add_bool(call, "keepdim", true);
}

static void sort(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    along(program, statement, call);
    add_bool(call, "descending", false);
    call->second_output = true;
}

static void reduce(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    unary(program, statement, call);
    add_axes(call, "dim", statement);
    add_bool(call, "keepdim", true);
}

/* Takes the mean over all axes behind the channels. */
static void global_pool(const dv_program *program, const dv_statement *statement,
                        dv_aten_call *call)
{
    int64_t axes[DV_PROGRAM_AXES];
    int count = program->tensors[statement->inputs[0]].rank - 2;
    for (int i = 0; i < count; i++)
        axes[i] = 2 + i;
    unary(program, statement, call);
    add_integers(call, "dim", axes, count);
    add_bool(call, "keepdim", true);
}

/* Makes a tensor without axes, on the device of the input. */
static void size_of(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    int axis = statement->attributes.axis;
    int64_t size;
    unary(program, statement, call);
    add_integers(call, "size", NULL, 0);
    if (dv_program_known_size(program, program->tensors[statement->inputs[0]].size[axis], &size)) {
        add_integer(call, "fill_value", size);
    } else {
        dv_aten_argument *argument = add(call, "fill_value", DV_ATEN_SIZE);
        argument->tensors[0] = statement->inputs[0];
        argument->integers[0] = axis;
    }
    add_element(call, "dtype", DV_ELEMENT_I64);
}

static void range(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    (void)program;
    add_integer(call, "end", statement->attributes.count);
    add_element(call, "dtype", DV_ELEMENT_I64);
    add(call, "device", DV_ATEN_DEVICE);
}

static void linear(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    (void)program;
    add_tensor(call, "input", statement, 0);
    add_tensor(call, "weight", statement, 1);
    add_tensor(call, "bias", statement, 2);
}

static void convolution(const dv_program *program, const dv_statement *statement,
                        dv_aten_call *call)
{
    const dv_window *w = &statement->attributes.window;
    call->function = w->axes == 1 ? "conv1d" : "conv2d";
    linear(program, statement, call);
    add_integers(call, "stride", w->stride, w->axes);
    add_integers(call, "padding", w->padding, w->axes);
    add_integers(call, "dilation", w->dilation, w->axes);
    add_integer(call, "groups", w->groups);
}

static void pool(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    const dv_window *w = &statement->attributes.window;
    unary(program, statement, call);
    add_integers(call, "kernel_size", w->kernel, w->axes);
    add_integers(call, "stride", w->stride, w->axes);
    add_integers(call, "padding", w->padding, w->axes);
}

static void max_pool(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    call->function = statement->attributes.window.axes == 1 ? "max_pool1d" : "max_pool2d";
    pool(program, statement, call);
}

static void average_pool(const dv_program *program, const dv_statement *statement,
                         dv_aten_call *call)
{
    call->function = statement->attributes.window.axes == 1 ? "avg_pool1d" : "avg_pool2d";
    pool(program, statement, call);
    add_bool(call, "count_include_pad", true);
}

static void layer_norm(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    const dv_tensor *x = &program->tensors[statement->inputs[0]];
    add_tensor(call, "input", statement, 0);
    add_integers(call, "normalized_shape", &x->size[x->rank - 1].add, 1);
    add_tensor(call, "weight", statement, 1);
    add_tensor(call, "bias", statement, 2);
    add(call, "eps", DV_ATEN_NUMBER)->number = statement->attributes.epsilon;
}

static void concat(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    (void)program;
    dv_aten_argument *argument = add(call, "tensors", DV_ATEN_TENSORS);
    argument->count = statement->input_count;
    memcpy(argument->tensors, statement->inputs, sizeof statement->inputs);
    add_integer(call, "dim", statement->attributes.axis);
}

static void add_slice(dv_aten_call *call, int axis, int64_t from, int64_t to)
{
    add_integer(call, "dim", axis);
    add_integer(call, "start", from);
    add_integer(call, "end", to);
}

static void slice(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    int64_t to = statement->attributes.slice.to;
    unary(program, statement, call);
    add_slice(call, statement->attributes.slice.axis, statement->attributes.slice.from,
              to == DV_TO_THE_END ? INT64_MAX : to);
}

/* Each output is made by a call of its own. */
static void split(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    int axis = statement->attributes.split.axis;
    int64_t part = call->output - statement->outputs[0];
    int64_t size = dv_program_size(program, call->output, axis);
    unary(program, statement, call);
    add_slice(call, axis, part * size, (part + 1) * size);
}

static void gather(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    along(program, statement, call);
    add_tensor(call, "index", statement, 1);
}

/* ATen takes pairs of amounts before and after, from the last axis on. */
static void pad(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    int64_t amounts[2 * DV_PROGRAM_AXES] = {0};
    int axes = program->tensors[statement->inputs[0]].rank - statement->attributes.pad.axis;
    amounts[2 * axes - 2] = statement->attributes.pad.before;
    amounts[2 * axes - 1] = statement->attributes.pad.after;
    unary(program, statement, call);
    add_integers(call, "pad", amounts, 2 * axes);
}

/* An unknown size becomes -1, which takes what is left. */
static void reshape(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    int64_t sizes[DV_PROGRAM_AXES];
    int rank = statement->attributes.reshape.rank;
    for (int axis = 0; axis < rank; axis++) {
        if (!dv_program_known_size(program, statement->attributes.reshape.size[axis], &sizes[axis]))
            sizes[axis] = -1;
    }
    unary(program, statement, call);
    add_integers(call, "shape", sizes, rank);
}

static void permute(const dv_program *program, const dv_statement *statement, dv_aten_call *call)
{
    unary(program, statement, call);
    add_axes(call, "dims", statement);
}

/* ---- Operators: function, overload and rule; this file does not compile if one is missing ---- */

#define ATEN_Add "add", "Tensor", binary
#define ATEN_Sub "sub", "Tensor", binary
#define ATEN_Mul "mul", "Tensor", binary
#define ATEN_Div "div", "Tensor", divide
#define ATEN_Max "maximum", "default", binary
#define ATEN_Min "minimum", "default", binary
#define ATEN_Less "lt", "Tensor", binary
#define ATEN_Where "where", "self", where
#define ATEN_Abs "abs", "default", unary
#define ATEN_Sqrt "sqrt", "default", unary
#define ATEN_Log "log", "default", unary
#define ATEN_Floor "floor", "default", unary
#define ATEN_Erf "erf", "default", unary
#define ATEN_Relu "relu", "default", unary
#define ATEN_Sigmoid "sigmoid", "default", unary
#define ATEN_Tanh "tanh", "default", unary
#define ATEN_HardSwish "hardswish", "default", unary
#define ATEN_Cast "to", "dtype", cast
#define ATEN_ReduceMean "mean", "dim", reduce
#define ATEN_ReduceSum "sum", "dim_IntList", reduce
#define ATEN_ReduceMax "amax", "default", reduce
#define ATEN_ArgMax "argmax", "default", arg_max
#define ATEN_CumSum "cumsum", "default", along
#define ATEN_Sort "sort", "default", sort
#define ATEN_Softmax "softmax", "int", along
#define ATEN_Size "new_full", "default", size_of
#define ATEN_Range "arange", "default", range
#define ATEN_MatMul "matmul", "default", binary
#define ATEN_Gemm "linear", "default", linear
#define ATEN_Conv NULL, "default", convolution
#define ATEN_MaxPool NULL, "default", max_pool
#define ATEN_AveragePool NULL, "default", average_pool
#define ATEN_GlobalAveragePool "mean", "dim", global_pool
#define ATEN_LayerNormalization "layer_norm", "default", layer_norm
#define ATEN_Concat "cat", "default", concat
#define ATEN_Split "slice", "Tensor", split
#define ATEN_Slice "slice", "Tensor", slice
#define ATEN_Gather "index_select", "default", gather
#define ATEN_GatherElements "gather", "default", gather
#define ATEN_Pad "constant_pad_nd", "default", pad
#define ATEN_Reshape "reshape", "default", reshape
#define ATEN_Transpose "permute", "default", permute
#define ATEN_Unsqueeze "unsqueeze", "default", along
#define ATEN_Squeeze "squeeze", "dim", along

typedef struct lowering {
    const char *function, *overload; /* the rule sets a function that is NULL */
    rule *add_arguments;
} lowering;

static const lowering lowerings[DV_OPERATOR_COUNT] = {
#define DV_OPERATOR(name, least, most, attributes) [DV_OPERATOR_##name] = {ATEN_##name},
#include "engine/program/operators.def"
#undef DV_OPERATOR
};

int dv_aten_lower(const dv_program *program, const dv_statement *statement,
                  dv_aten_call calls[DV_ATEN_CALLS])
{
    const lowering *of = &lowerings[statement->op_type];
    for (int i = 0; i < statement->output_count; i++) {
        calls[i] = (dv_aten_call){
            .function = of->function, .overload = of->overload, .output = statement->outputs[i]};
        of->add_arguments(program, statement, &calls[i]);
    }
    return statement->output_count;
}

/* ---- Common to both formats ---- */

int dv_aten_scalar_type(dv_element element)
{
    switch (element) {
    case DV_ELEMENT_F32:
        return 6;
    case DV_ELEMENT_F16:
        return 5;
    case DV_ELEMENT_I64:
        return 4;
    case DV_ELEMENT_BOOL:
        break;
    }
    return 11;
}

/* Names of learned constants have no '/', names of tables and numbers have one. */
bool dv_aten_is_parameter(const dv_tensor *tensor)
{
    return dv_aten_is_stored(tensor) && strchr(tensor->name, '/') == NULL;
}

bool dv_aten_is_stored(const dv_tensor *tensor)
{
    return tensor->data != NULL && tensor->uses > 0;
}

size_t dv_aten_bytes(const dv_tensor *constant)
{
    return (size_t)dv_tensor_count(constant) * dv_element_size(constant->element);
}

void dv_aten_layout(const dv_tensor *constant, int64_t sizes[DV_PROGRAM_AXES],
                    int64_t strides[DV_PROGRAM_AXES])
{
    int64_t stride = 1;
    for (int axis = constant->rank - 1; axis >= 0; axis--) {
        sizes[axis] = constant->size[axis].add;
        strides[axis] = stride;
        stride *= sizes[axis];
    }
}

/* ---- Names ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Replaces characters that are invalid in a name by '_'. */
static void to_identifier(const char *name, dv_aten_name *out)
{
    size_t at = 0;
    if (!is_letter(name[0]))
        out->text[at++] = '_';
    for (; *name != '\0'; name++)
        out->text[at++] = is_letter(*name) || is_digit(*name) ? *name : '_';
    out->text[at] = '\0';
}

static bool is_taken(const dv_aten_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].text, name) == 0)
            return true;
    }
    return false;
}

/* No name is a keyword of Python: all names but those of inputs and outputs contain a '.' or a '/',
   which becomes '_'. */
dv_status dv_aten_names(const dv_program *program, dv_aten_name **out)
{
    DV_TRY(dv_calloc(program->tensor_count, sizeof **out, out));
    for (size_t i = 0; i < program->tensor_count; i++) {
        dv_aten_name *name = &(*out)[i], plain;
        to_identifier(program->tensors[i].name, &plain);
        *name = plain;
        for (int number = 1; is_taken(*out, i, name->text); number++)
            snprintf(name->text, sizeof name->text, "%.*s_%d", DV_PROGRAM_NAME, plain.text, number);
    }
    return DV_OK;
}
