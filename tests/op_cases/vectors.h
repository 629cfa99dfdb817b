/* The golden vectors: what PyTorch computes for the cases, made by tests/golden/make_ops.py. */
#ifndef TESTS_OPS_VECTORS_H
#define TESTS_OPS_VECTORS_H

#include "frontends/model/safetensors.h"
#include "tests/op_cases/harness.h"

#define OP_VECTORS_PATH "tests/golden/ops.safetensors"

/* The vector "<name>/<what>" of `count` doubles. DV_EFORMAT where it is missing or another size,
   with the way to make it anew. */
dv_status vectors_find(const dv_safetensors *file, const char *name, const char *what,
                       int64_t count, const double **out);

/* Fails where the vectors of a case were computed from other data than `hash` stands for. */
dv_status vectors_fresh(const dv_safetensors *file, const char *name, uint32_t hash);

/* Hash of the start values and all gradients of an optimiser's case. */
uint32_t optimizer_case_hash(const optimizer_case *item);

#endif
