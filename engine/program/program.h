/*
 * A program: a model's inference as a list of statements on tensors, to be written in the formats
 * of other runtimes. Nothing here computes. Statements are in the order of computation, and their
 * operators are those of operators.def.
 *
 *     dv_program *program;
 *     DV_TRY(dv_program_create(&program));
 *     dv_value x = dv_program_input(program, "audio", DV_ELEMENT_F32, sizes, 2);
 *     dv_program_scope(program, "front_end/level");
 *     dv_value y = dv_program_unary(program, DV_OPERATOR_Abs, x);
 *     dv_program_output(program, "levels", y);
 *     status = dv_program_finish(program);
 *
 * A program keeps the first failure of building it. Calls after a failure do nothing and return
 * DV_NO_VALUE. Axes are counted from 0; none is negative.
 */
#ifndef DV_PROGRAM_H
#define DV_PROGRAM_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DV_PROGRAM_AXES = 5,      /* largest number of axes of a tensor */
    DV_PROGRAM_INPUTS = 8,    /* largest number of inputs of a statement */
    DV_PROGRAM_OUTPUTS = 3,   /* largest number of outputs of a statement */
    DV_PROGRAM_ENDS = 8,      /* largest number of inputs, and of outputs, of a program */
    DV_PROGRAM_NAME = 192,    /* bytes of a name */
    DV_NO_VALUE = -1,         /* stands for no tensor */
    DV_TO_THE_END = INT32_MAX /* `to` of a slice */
};

typedef enum dv_operator {
#define DV_OPERATOR(name, least, most, attributes) DV_OPERATOR_##name,
#include "engine/program/operators.def"
#undef DV_OPERATOR
    DV_OPERATOR_COUNT
} dv_operator;

typedef enum dv_attributes_kind {
    DV_ATTRIBUTES_NONE,
    DV_ATTRIBUTES_AXIS,
    DV_ATTRIBUTES_AXES,
    DV_ATTRIBUTES_CAST,
    DV_ATTRIBUTES_COUNT,
    DV_ATTRIBUTES_WINDOW,
    DV_ATTRIBUTES_NORM,
    DV_ATTRIBUTES_SPLIT,
    DV_ATTRIBUTES_SLICE,
    DV_ATTRIBUTES_PAD,
    DV_ATTRIBUTES_RESHAPE
} dv_attributes_kind;

typedef enum dv_element {
    DV_ELEMENT_F32,
    DV_ELEMENT_F16,
    DV_ELEMENT_I64,
    DV_ELEMENT_BOOL
} dv_element;

/* Sizes that are unknown when the program is written. */
typedef enum dv_symbol {
    DV_SYMBOL_NONE,
    DV_SYMBOL_BATCH,
    DV_SYMBOL_SAMPLES, /* samples of the audio */
    DV_SYMBOL_FRAMES,  /* frames of the features */
    DV_SYMBOL_COUNT
} dv_symbol;

/* "batch", "samples" or "frames". */
const char *dv_symbol_name(dv_symbol symbol);

/* The size (symbol + add) / divide, rounded down, or `add` if there is no symbol. */
typedef struct dv_size {
    dv_symbol symbol;
    int64_t add, divide;
} dv_size;

static inline dv_size dv_size_of(int64_t size)
{
    return (dv_size){DV_SYMBOL_NONE, size, 1};
}

static inline dv_size dv_size_symbol(dv_symbol symbol)
{
    return (dv_size){symbol, 0, 1};
}

static inline bool dv_size_equal(dv_size a, dv_size b)
{
    return a.symbol == b.symbol && a.add == b.add && a.divide == b.divide;
}

typedef int dv_value; /* index of a tensor of the program, or DV_NO_VALUE */

typedef struct dv_tensor {
    char name[DV_PROGRAM_NAME];
    dv_element element;
    int rank;
    dv_size size[DV_PROGRAM_AXES];
    int statement; /* index of the statement that computes it; -1 for inputs and constants */
    int uses;      /* number of times that statements read it */
    /* Elements of a constant in the order of the axes, owned; NULL for other tensors. FP16 elements
       are FP32 until the program is finished. */
    void *data;
} dv_tensor;

/* The window of a Conv or pool. With one spatial axis only the first numbers count. */
typedef struct dv_window {
    int axes; /* spatial axes: 1 or 2 */
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t groups; /* Conv only */
} dv_window;

typedef union dv_attributes {
    int axis;
    struct {
        int count;
        int axis[DV_PROGRAM_AXES]; /* for Transpose, axis i of the output is axis[i] of the input */
    } axes;                        /* reductions keep these axes with size 1 */
    dv_element cast;
    int64_t count; /* elements of a Range */
    dv_window window;
    double epsilon; /* for norms, which are over the last axis */
    struct {
        int axis, parts; /* the parts have equal sizes */
    } split;
    struct {
        int axis;
        int64_t from, to; /* `to` counts from the end if it is negative; or DV_TO_THE_END */
    } slice;
    struct {
        int axis;
        int64_t before, after; /* numbers of zeros */
    } pad;
    struct {
        int rank;
        dv_size size[DV_PROGRAM_AXES]; /* at most one of them has a symbol */
    } reshape;
} dv_attributes;

typedef struct dv_statement {
    dv_operator op_type;
    char name[DV_PROGRAM_NAME]; /* "<scope>/<operator>", with a number if there are several */
    dv_value inputs[DV_PROGRAM_INPUTS], outputs[DV_PROGRAM_OUTPUTS];
    int input_count, output_count;
    dv_attributes attributes;
} dv_statement;

typedef struct dv_program {
    dv_tensor *tensors;
    dv_statement *statements;
    size_t tensor_count, tensor_capacity, statement_count, statement_capacity;
    dv_value inputs[DV_PROGRAM_ENDS], outputs[DV_PROGRAM_ENDS];
    int input_count, output_count;
    int64_t known[DV_SYMBOL_COUNT]; /* size that the user has fixed for a symbol, or 0 */
    char scope[DV_PROGRAM_NAME];
    dv_status status;
} dv_program;

const char *dv_operator_name(dv_operator op_type);
dv_attributes_kind dv_operator_attributes(dv_operator op_type);

/* Bytes of one element. */
size_t dv_element_size(dv_element element);

dv_status dv_program_create(dv_program **out);
void dv_program_free(dv_program *program); /* NULL is allowed */

/* Finishes the program; call it once, after the last statement. Rounds FP16 constants. Returns the
   first failure of building, whose message is the thread's, or DV_ENUMERIC if a value is too large
   for FP16. */
dv_status dv_program_finish(dv_program *program);

/* Records a failure of the code that builds the program. Returns DV_NO_VALUE. */
dv_value dv_program_fail(dv_program *program, dv_status status);

/* Sets the prefix for names of the following statements and constants, such as "network/stem". */
void dv_program_scope(dv_program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

dv_value dv_program_input(dv_program *program, const char *name, dv_element element,
                          const dv_size *sizes, int rank);

/* Makes the value an output and gives it the name. A statement must compute the value, and it must
   not be an output yet. */
void dv_program_output(dv_program *program, const char *name, dv_value value);

/* ---- Constants ---- */

/* A constant in FP32 or FP16. Copies `values` (the product of the sizes). The name has no scope. */
dv_value dv_program_constant(dv_program *program, const char *name, dv_element element,
                             const int64_t *sizes, int rank, const float *values);

/* The same, named "<scope>/<name>". */
dv_value dv_program_table(dv_program *program, const char *name, const int64_t *sizes, int rank,
                          const float *values);

/* A vector of integers, named "<scope>/<name>". */
dv_value dv_program_integers(dv_program *program, const char *name, int64_t count,
                             const int64_t *values);

/* A number without axes, in FP32, FP16 or I64. Equal numbers share one tensor. */
dv_value dv_program_scalar(dv_program *program, dv_element element, double number);

/* ---- Statements; each function returns the value that its statement computes ---- */

dv_value dv_program_add(dv_program *program, dv_operator op_type, const dv_value *inputs,
                        int input_count, const dv_attributes *attributes /* or NULL */);

dv_value dv_program_unary(dv_program *program, dv_operator op_type, dv_value x);
dv_value dv_program_binary(dv_program *program, dv_operator op_type, dv_value a, dv_value b);

/* The operator on x and a number of the same element type. */
dv_value dv_program_with(dv_program *program, dv_operator op_type, dv_value x, double number);

/* An operator whose only attribute is an axis. */
dv_value dv_program_along(dv_program *program, dv_operator op_type, dv_value x, int axis);

/* A reduction over one axis or two, which stay with size 1. A `second` of -1 stands for one. */
dv_value dv_program_reduce(dv_program *program, dv_operator op_type, dv_value x, int first,
                           int second);
dv_value dv_program_cast(dv_program *program, dv_value x, dv_element element);
dv_value dv_program_range(dv_program *program, int64_t count);
dv_value dv_program_slice(dv_program *program, dv_value x, int axis, int64_t from, int64_t to);
dv_value dv_program_pad(dv_program *program, dv_value x, int axis, int64_t before, int64_t after);
dv_value dv_program_concat(dv_program *program, const dv_value *parts, int count, int axis);
dv_value dv_program_reshape(dv_program *program, dv_value x, const dv_size *sizes, int rank);
dv_value dv_program_transpose(dv_program *program, dv_value x, const int *axes);
void dv_program_split(dv_program *program, dv_value x, int axis, int parts, dv_value *out);

/* ---- Queries ---- */

/* The tensor of a value. DV_NO_VALUE has an empty one. */
const dv_tensor *dv_program_tensor(const dv_program *program, dv_value value);

/* The size of an axis without a symbol. */
int64_t dv_program_size(const dv_program *program, dv_value value, int axis);

/* Whether a size has no symbol, or a fixed one; *out is then the size. */
bool dv_program_known_size(const dv_program *program, dv_size size, int64_t *out);

/* The number of elements of a constant. */
int64_t dv_tensor_count(const dv_tensor *tensor);

/* Bytes of all constants that statements use. */
size_t dv_program_constant_bytes(const dv_program *program);

/*
 * Folds scale x + shift along axis 1 (channels) into the convolution that computes x, if its
 * weights are constant and nothing else uses them or x so far. Otherwise returns false and changes
 * nothing.
 */
bool dv_program_fold(dv_program *program, dv_value x, const float *scale, const float *shift);

#endif
