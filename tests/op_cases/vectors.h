/* The golden vectors: PyTorch's results of the cases, made by tests/golden/make_ops.py. */
#ifndef TESTS_OPS_VECTORS_H
#define TESTS_OPS_VECTORS_H

#include "frontends/model/safetensors.h"
#include "tests/op_cases/harness.h"

#define OP_VECTORS_PATH "tests/golden/ops.safetensors"

/* Finds the vector "<name>/<what>" of `count` doubles. DV_EFORMAT if it is missing or has another
   size; the message says how to make it anew. */
dv_status vectors_find(const dv_safetensors *file, const char *name, const char *what,
                       int64_t count, const double **out);

/* Fails if the vectors of a case were computed from data with a hash other than `hash`. */
dv_status vectors_fresh(const dv_safetensors *file, const char *name, uint32_t hash);

/* Hash of the first values, all gradients and the settings of an optimiser's case. */
uint32_t optimizer_case_hash(const optimizer_case *item);

#endif
