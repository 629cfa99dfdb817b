/*
 * A program: what a model computes in inference, as a list of statements on tensors, for writing it
 * in the formats of other runtimes. Nothing here computes. Statements are in the order in which
 * they are computed; operators are those of operators.def.
 *
 *     dv_program *program;
 *     DV_TRY(dv_program_create(&program));
 *     dv_value x = dv_program_input(program, "audio", DV_ELEMENT_F32, sizes, 2);
 *     dv_program_scope(program, "front_end/level");
 *     dv_value y = dv_program_unary(program, DV_OPERATOR_Abs, x);
 *     dv_program_output(program, "levels", y);
 *     status = dv_program_finish(program);
 *
 * The first failure of building is kept: what is built after it is DV_NO_VALUE, and does nothing.
 * Axes are counted from 0; none is negative.
 */
#ifndef DV_PROGRAM_H
#define DV_PROGRAM_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DV_PROGRAM_AXES = 5,    /* of a tensor, at most */
    DV_PROGRAM_INPUTS = 8,  /* of a statement */
    DV_PROGRAM_OUTPUTS = 3, /* of a statement */
    DV_PROGRAM_ENDS = 8,    /* inputs of a program, and outputs */
    DV_PROGRAM_NAME = 192,  /* bytes of a name */
    DV_NO_VALUE = -1,
    DV_TO_THE_END = INT32_MAX
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

/* Sizes that a program does not know. */
typedef enum dv_symbol {
    DV_SYMBOL_NONE,
    DV_SYMBOL_BATCH,
    DV_SYMBOL_SAMPLES, /* of the audio */
    DV_SYMBOL_FRAMES,  /* of the features */
    DV_SYMBOL_COUNT
} dv_symbol;

/* "batch", "samples", "frames". */
const char *dv_symbol_name(dv_symbol symbol);

/* (symbol + add) / divide, rounded down; without a symbol: add. */
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

typedef int dv_value; /* number of a tensor of the program */

typedef struct dv_tensor {
    char name[DV_PROGRAM_NAME];
    dv_element element;
    int rank;
    dv_size size[DV_PROGRAM_AXES];
    int statement; /* that computes it; -1: it is an input or a constant */
    int uses;      /* as an input of statements */
    void *data;    /* of a constant, owned, in the order of the axes; FP32 in place of FP16 until
                      the program is finished; NULL: none */
} dv_tensor;

/* Windows of Conv and pools, over one spatial axis or two; of one axis the first numbers count. */
typedef struct dv_window {
    int axes; /* spatial: 1 or 2 */
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t groups; /* Conv */
} dv_window;

typedef union dv_attributes {
    int axis;
    struct {
        int count;
        int axis[DV_PROGRAM_AXES]; /* of a Transpose: the axis of the input that comes i-th */
    } axes;                        /* reductions keep the axes, with size 1 */
    dv_element cast;
    int64_t count; /* Range */
    dv_window window;
    double epsilon; /* NORM: over the last axis */
    struct {
        int axis, parts;
    } split; /* into equal parts */
    struct {
        int axis;
        int64_t from, to; /* `to` below 0: counted from the end; DV_TO_THE_END */
    } slice;
    struct {
        int axis;
        int64_t before, after; /* zeros */
    } pad;
    struct {
        int rank;
        dv_size size[DV_PROGRAM_AXES]; /* at most one of them has a symbol */
    } reshape;
} dv_attributes;

typedef struct dv_statement {
    dv_operator op_type;
    char name[DV_PROGRAM_NAME]; /* "<scope>/<operator>", with a number where there are several */
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
    int64_t known[DV_SYMBOL_COUNT]; /* what the user has fixed a symbol to; 0: nothing */
    char scope[DV_PROGRAM_NAME];
    dv_status status;
} dv_program;

const char *dv_operator_name(dv_operator op_type);
dv_attributes_kind dv_operator_attributes(dv_operator op_type);

/* Bytes of an element. */
size_t dv_element_size(dv_element element);

dv_status dv_program_create(dv_program **out);
void dv_program_free(dv_program *program); /* NULL is allowed */

/* To be called once, after the last statement: rounds what is FP16. The first failure of building,
   whose message is the thread's; DV_ENUMERIC: a value is too large for FP16. */
dv_status dv_program_finish(dv_program *program);

/* For who builds it, where something else fails: DV_NO_VALUE. */
dv_value dv_program_fail(dv_program *program, dv_status status);

/* What the names of the following statements and constants begin with: "network/stem". */
void dv_program_scope(dv_program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

dv_value dv_program_input(dv_program *program, const char *name, dv_element element,
                          const dv_size *sizes, int rank);

/* The value gets the name; statements compute it, and it is no output yet. */
void dv_program_output(dv_program *program, const char *name, dv_value value);

/* ---- Constants ---- */

/* Copies values (the product of the sizes), in FP32 or FP16. `name` as it stands. */
dv_value dv_program_constant(dv_program *program, const char *name, dv_element element,
                             const int64_t *sizes, int rank, const float *values);

/* The same, named "<scope>/<name>". */
dv_value dv_program_table(dv_program *program, const char *name, const int64_t *sizes, int rank,
                          const float *values);

/* One axis of integers, named "<scope>/<name>". */
dv_value dv_program_integers(dv_program *program, const char *name, int64_t count,
                             const int64_t *values);

/* One number without axes, FP32, FP16 or I64; equal ones are one tensor. */
dv_value dv_program_scalar(dv_program *program, dv_element element, double number);

/* ---- Statements: the value that they compute ---- */

dv_value dv_program_add(dv_program *program, dv_operator op_type, const dv_value *inputs,
                        int input_count, const dv_attributes *attributes /* NULL: none */);

dv_value dv_program_unary(dv_program *program, dv_operator op_type, dv_value x);
dv_value dv_program_binary(dv_program *program, dv_operator op_type, dv_value a, dv_value b);

/* The operator on x and a number of its element. */
dv_value dv_program_with(dv_program *program, dv_operator op_type, dv_value x, double number);

/* An operator that has an axis as its only attribute. */
dv_value dv_program_along(dv_program *program, dv_operator op_type, dv_value x, int axis);

/* Over one axis or two (second -1: one); they stay, with size 1. */
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

/* ---- Asking ---- */

/* The tensor; of DV_NO_VALUE an empty one. */
const dv_tensor *dv_program_tensor(const dv_program *program, dv_value value);

/* The size of an axis, which has no symbol. */
int64_t dv_program_size(const dv_program *program, dv_value value, int axis);

/* Whether a size is known: it has no symbol, or one that is fixed. */
bool dv_program_known_size(const dv_program *program, dv_size size, int64_t *out);

/* Elements of a constant. */
int64_t dv_tensor_count(const dv_tensor *tensor);

/* Bytes of all constants that statements use. */
size_t dv_program_constant_bytes(const dv_program *program);

/*
 * y = scale x + shift along axis 1 (channels) becomes part of the convolution that computes x, if x
 * is computed by one whose weights are a constant, and nothing else uses them or x so far. False:
 * it cannot, and nothing has changed.
 */
bool dv_program_fold(dv_program *program, dv_value x, const float *scale, const float *shift);

#endif
