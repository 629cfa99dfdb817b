/*
 * Statements of programs as calls of ATen, the functions of PyTorch's tensors: what TorchScript and
 * torch.export are made of. The functions have these signatures from torch 1.13 to 2.15.
 */
#ifndef DV_EXPORT_ATEN_H
#define DV_EXPORT_ATEN_H

#include "engine/program/program.h"

enum {
    DV_ATEN_CALLS = DV_PROGRAM_OUTPUTS, /* of a statement, at most */
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
    DV_ATEN_ELEMENT, /* a type of elements */
    DV_ATEN_DEVICE,  /* the one of the program's first input */
    DV_ATEN_SIZE     /* an integer: the size of an axis of a tensor */
} dv_aten_kind;

typedef struct dv_aten_argument {
    const char *name; /* in the function's signature */
    dv_aten_kind kind;
    int count;                           /* of a list */
    dv_value tensors[DV_PROGRAM_INPUTS]; /* the first is that of TENSOR and SIZE */
    int64_t integers[DV_ATEN_LIST];      /* the first is INTEGER, BOOL, or the axis of SIZE */
    double number;
    dv_element element;
} dv_aten_argument;

typedef struct dv_aten_call {
    const char *function; /* "conv2d" */
    const char *overload; /* "default" */
    dv_aten_argument arguments[DV_ATEN_ARGUMENTS];
    int argument_count;
    dv_value output;
    bool second_output; /* there is one, of integers and with the sizes of the first, that nothing
                           uses */
} dv_aten_call;

/* The calls that compute a statement, in order: their number. */
int dv_aten_lower(const dv_program *program, const dv_statement *statement,
                  dv_aten_call calls[DV_ATEN_CALLS]);

/* ---- What both of PyTorch's formats have ---- */

/* c10::ScalarType. */
int dv_aten_scalar_type(dv_element element);

/* Whether a constant has been learned, as PyTorch's parameters are; others are its buffers. */
bool dv_aten_is_parameter(const dv_tensor *tensor);

/* Whether it goes into a file: a constant that something uses. */
bool dv_aten_is_stored(const dv_tensor *tensor);

size_t dv_aten_bytes(const dv_tensor *constant);

/* Sizes of a constant, and the strides of its elements. */
void dv_aten_layout(const dv_tensor *constant, int64_t sizes[DV_PROGRAM_AXES],
                    int64_t strides[DV_PROGRAM_AXES]);

/* A name that Python takes. */
typedef struct dv_aten_name {
    char text[DV_PROGRAM_NAME + 16];
} dv_aten_name;

/* Of each tensor of the program one of its own, owned by the caller. DV_ENOMEM. */
dv_status dv_aten_names(const dv_program *program, dv_aten_name **out);

#endif
