/*
 * Python's pickles in protocol 2, as far as PyTorch's readers of models need them
 * (https://github.com/python/cpython/blob/main/Lib/pickletools.py). A pickle is a program for a
 * stack machine; the functions append its instructions.
 */
#ifndef DV_EXPORT_PICKLE_H
#define DV_EXPORT_PICKLE_H

#include "engine/base/protobuf.h"

#include <stdbool.h>

/* Instructions without an operand. */
typedef enum dv_pickle_step {
    DV_PICKLE_MARK = '(',
    DV_PICKLE_TUPLE = 't', /* makes a tuple of the items behind the mark */
    DV_PICKLE_EMPTY_TUPLE = ')',
    DV_PICKLE_EMPTY_DICT = '}',
    DV_PICKLE_SET_ITEMS = 'u',     /* puts the keys and values behind the mark into the dict */
    DV_PICKLE_NEW_OBJECT = 0x81,   /* makes an object from a class and a tuple of arguments */
    DV_PICKLE_SET_STATE = 'b',     /* sets the state of an object from a dict */
    DV_PICKLE_CALL = 'R',          /* calls a function with a tuple of arguments */
    DV_PICKLE_PERSISTENT_ID = 'Q', /* gets the object that the reader identifies by a tuple */
    DV_PICKLE_STOP = '.'
} dv_pickle_step;

void dv_pickle_begin(dv_protobuf *out);
void dv_pickle_step_add(dv_protobuf *out, dv_pickle_step step);
void dv_pickle_global(dv_protobuf *out, const char *module, const char *name);
void dv_pickle_text(dv_protobuf *out, const char *text);
void dv_pickle_integer(dv_protobuf *out, int64_t value);
void dv_pickle_bool(dv_protobuf *out, bool value);

/* Appends a tuple of integers. */
void dv_pickle_integers(dv_protobuf *out, const int64_t *values, int count);

#endif
