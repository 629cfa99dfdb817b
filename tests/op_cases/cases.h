/*
 * The case table: one list of operations with attributes and shapes that serves every test of the
 * operations (PyTorch vectors, cpu against ref, finite differences, coverage) and the benchmarks.
 * To test a new operation or a new edge, add a line to cases.c and run tests/golden/make_ops.py.
 */
#ifndef TESTS_OPS_CASES_H
#define TESTS_OPS_CASES_H

#include "engine/core/op.h"
#include "engine/ops/ops.h"
#include "engine/optimizer/optimizer.h"
#include "tests/op_cases/tolerance.h"

/* What the elements of an input are. Every value is exactly a float. */
typedef enum op_data {
    DATA_NORMAL,   /* N(0, 1) */
    DATA_DISTINCT, /* all different, 1/16 apart: maxima stay where they are under differences */
    DATA_TIES,     /* small integers, so most windows have several maxima */
    DATA_EQUAL,    /* 1.5 everywhere */
    DATA_NEGATIVE, /* distinct and below zero: padding must not win as a zero */
    DATA_KINKS,    /* -3, -1, 0, 1, 3: the corners of the activation functions */
    DATA_AWAY,     /* N(0, 1) x 2, at least 1/16 away from 0, -3 and 3 */
    DATA_WIDE,     /* N(0, 1) x 1e4: saturation, overflow of exp */
    DATA_OFFSET,   /* 100 + N(0, 1): cancellation in variances */
    DATA_FLAT,     /* the channel's number: no variance within a channel */
    DATA_ONE_HOT,  /* each row of channels has one 1 */
    DATA_MIXED,    /* each row of channels is a distribution */
    DATA_WEIGHTED, /* the same, times a weight of the row, 1/8 to 8 */
    DATA_POSITIVE, /* U(0.5, 1.5) */
} op_data;

typedef enum op_case_flags {
    CASE_LARGE = 1,     /* beyond DV_CPU_GRAIN, of a real size: cpu against ref, and benchmarks */
    CASE_CORNER = 2,    /* at a point where no derivative exists: no finite differences */
    CASE_INFERENCE = 4, /* an inference plan: forward only */
    CASE_NO_VECTOR = 8, /* PyTorch has no such thing; `edge` says why */
    CASE_ROWS = 16,     /* the rows of the weight differ: 1e-3 to 1e3, and some are all zeros */
} op_case_flags;

typedef struct op_input {
    dv_shape shape; /* n 0 ends the list */
    op_data data;
    double scale; /* above 0: the operation has it in int8, by a convert in front */
} op_input;

typedef struct op_case {
    dv_op_id op;
    const char *name;       /* "conv2d/stem" */
    const char *attributes; /* as in a configuration, the inside of a flow map */
    op_tolerance tolerance;
    unsigned flags;
    op_input inputs[DV_MAX_INPUTS];
    const char *edge; /* what this case is there for */
} op_case;

extern const op_case op_cases[];
extern const int op_case_count;

int op_case_input_count(const op_case *item);

/* Whether an input is in int8, which not every backend computes with. */
bool op_case_has_int8(const op_case *item);

/* The attributes, read by the operation's own fields; *out (op->attr_size bytes) is freed by the
   caller, NULL where the operation has none. */
dv_status op_attributes(dv_op_id op, const char *text, void **out);

/* Deterministic elements of the tensor `tensor` ("x0", "weight", "dy") of a case; float values. */
void op_case_fill(const op_case *item, const char *tensor, op_data data, int64_t count,
                  int64_t channels, double *out);

/* Updates of the optimisers, five in a row: each with the moments the one before has left. */
enum { OPTIMIZER_STEPS = 5 };

typedef struct optimizer_case {
    const char *name;
    dv_optimizer_kind kind;
    int64_t count, decay_count;
    double learning_rate, weight_decay, beta1, beta2, epsilon, gradient_scale;
    const char *edge;
} optimizer_case;

extern const optimizer_case optimizer_cases[];
extern const int optimizer_case_count;

/* The values before the first update (step 0) or the gradients of update `step` (from 1). */
void optimizer_case_fill(const optimizer_case *item, int step, double *out);

/* FNV-1a: ties a golden vector to the data it was computed from. */
uint32_t op_hash(uint32_t hash, const void *bytes, size_t size);
enum { OP_HASH_SIZE = 4 };
#define OP_HASH_START 2166136261U

#endif
