/*
 * Translates statements of programs into calls of ATen, PyTorch's library of tensor functions, of
 * which TorchScript and torch.export consist. The signatures hold from torch 1.13 to 2.15.
 */
#ifndef DV_EXPORT_ATEN_H
#define DV_EXPORT_ATEN_H

#include "engine/program/program.h"

enum {
    DV_ATEN_CALLS = DV_PROGRAM_OUTPUTS, /* most calls of a statement */
    DV_ATEN_ARGUMENTS = 8,
    DV_ATEN_LIST = 2 * DV_PROGRAM_AXES
};

typedef enum dv_aten_kind {
    DV_ATEN_NONE,
    DV_ATEN_TENSOR,
    DV_ATEN_TENSORS,
    DV_ATEN_INTEGER,
    DV_ATEN_INTEGERS,
    DV_ATEN_NUMBER,
    DV_ATEN_BOOL,
    DV_ATEN_ELEMENT, /* element type */
    DV_ATEN_DEVICE,  /* device of the program's first input */
    DV_ATEN_SIZE     /* size of an axis of a tensor, an integer */
} dv_aten_kind;

typedef struct dv_aten_argument {
    const char *name; /* name in the signature of the function */
    dv_aten_kind kind;
    int count;                           /* length of a list */
    dv_value tensors[DV_PROGRAM_INPUTS]; /* TENSOR and SIZE use the first one */
    int64_t integers[DV_ATEN_LIST];      /* INTEGER, BOOL and SIZE (its axis) use the first one */
    double number;
    dv_element element;
} dv_aten_argument;

typedef struct dv_aten_call {
    const char *function; /* "conv2d" */
    const char *overload; /* "default" */
    dv_aten_argument arguments[DV_ATEN_ARGUMENTS];
    int argument_count;
    dv_value output;
    bool
        second_output; /* the function has another output, unused, of integers and the same sizes */
} dv_aten_call;

/* Lists the calls that compute a statement, in order, and returns their number. */
int dv_aten_lower(const dv_program *program, const dv_statement *statement,
                  dv_aten_call calls[DV_ATEN_CALLS]);

/* ---- Common to both formats of PyTorch ---- */

/* The number of an element type in c10::ScalarType. */
int dv_aten_scalar_type(dv_element element);

/* Whether a constant is learned, and so a parameter of PyTorch's module; others are its buffers. */
bool dv_aten_is_parameter(const dv_tensor *tensor);

/* Whether a tensor is stored in a file, as constants that are used are. */
bool dv_aten_is_stored(const dv_tensor *tensor);

size_t dv_aten_bytes(const dv_tensor *constant);

/* The sizes of a constant and the strides of its axes in elements. */
void dv_aten_layout(const dv_tensor *constant, int64_t sizes[DV_PROGRAM_AXES],
                    int64_t strides[DV_PROGRAM_AXES]);

/* A name that is valid in Python. */
typedef struct dv_aten_name {
    char text[DV_PROGRAM_NAME + 16];
} dv_aten_name;

/* Makes a unique name for each tensor of the program. The caller owns *out. Returns DV_ENOMEM if
   memory runs out. */
dv_status dv_aten_names(const dv_program *program, dv_aten_name **out);

#endif
