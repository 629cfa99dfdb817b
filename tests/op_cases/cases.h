/*
 * The case table lists operations with attributes and shapes. It serves all tests of the operations
 * (PyTorch vectors, cpu against ref, finite differences, coverage) and the benchmarks.
 * To test a new operation or a new edge, add a line to cases.c and run tests/golden/make_ops.py.
 */
#ifndef TESTS_OPS_CASES_H
#define TESTS_OPS_CASES_H

#include "engine/core/op.h"
#include "engine/ops/ops.h"
#include "engine/optimizer/optimizer.h"
#include "tests/op_cases/tolerance.h"

/* The elements of an input. Every value is exactly a float. */
typedef enum op_data {
    DATA_NORMAL,   /* N(0, 1) */
    DATA_DISTINCT, /* all different, 1/16 apart, so that finite differences move no maximum */
    DATA_TIES,     /* small integers, so that most windows have several maxima */
    DATA_EQUAL,    /* 1.5 everywhere */
    DATA_NEGATIVE, /* distinct and below zero, so that a padding of zeros would win a maximum */
    DATA_KINKS,    /* the corners of the activation functions, which are -3, -1, 0, 1 and 3 */
    DATA_AWAY,     /* 2 N(0, 1), at least 1/16 away from 0, -3 and 3 */
    DATA_WIDE,     /* 1e4 N(0, 1), for saturation and overflow of exp */
    DATA_OFFSET,   /* 100 + N(0, 1), for cancellation in variances */
    DATA_FLAT,     /* the channel's number, so that no channel has a variance */
    DATA_ONE_HOT,  /* each row of channels has one 1 */
    DATA_MIXED,    /* each row of channels is a distribution */
    DATA_WEIGHTED, /* each row of channels is a distribution times a weight, 1/8 to 8 */
    DATA_POSITIVE, /* U(0.5, 1.5) */
} op_data;

typedef enum op_case_flags {
    CASE_LARGE = 1,     /* a real size beyond DV_CPU_GRAIN, for cpu against ref and benchmarks */
    CASE_CORNER = 2,    /* no derivative exists at this point, so no finite differences */
    CASE_INFERENCE = 4, /* an inference plan with the forward pass only */
    CASE_NO_VECTOR = 8, /* PyTorch has no such operation; `edge` says why */
    CASE_ROWS = 16,     /* rows of the weight differ by 1e-3 to 1e3, and some are all zeros */
} op_case_flags;

typedef struct op_input {
    dv_shape shape; /* an n of 0 ends the list */
    op_data data;
    double scale; /* if above 0, a convert in front gives the input in int8 with this scale */
} op_input;

typedef struct op_case {
    dv_op_id op;
    const char *name;       /* "conv2d/stem" */
    const char *attributes; /* the inside of a flow map, as in a configuration */
    op_tolerance tolerance;
    unsigned flags;
    op_input inputs[DV_MAX_INPUTS];
    const char *edge; /* the reason for this case */
} op_case;

extern const op_case op_cases[];
extern const int op_case_count;

int op_case_input_count(const op_case *item);

/* Whether an input is in int8, which not every backend supports. */
bool op_case_has_int8(const op_case *item);

/* Reads attributes by the operation's own fields. The caller frees *out (op->attr_size bytes),
   which is NULL for an operation without attributes. */
dv_status op_attributes(dv_op_id op, const char *text, void **out);

/* Fills `out` with the deterministic elements of a case's tensor ("x0", "weight", "dy"), which are
   exactly floats. */
void op_case_fill(const op_case *item, const char *tensor, op_data data, int64_t count,
                  int64_t channels, double *out);

/* Updates of an optimiser in a row; each begins with the moments of the one before. */
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

/* Fills `out` with the values before the first update (step 0), or with the gradients of update
   `step` (from 1). */
void optimizer_case_fill(const optimizer_case *item, int step, double *out);

/* FNV-1a. It ties a golden vector to the data from which the vector was computed. */
uint32_t op_hash(uint32_t hash, const void *bytes, size_t size);
enum { OP_HASH_SIZE = 4 };
#define OP_HASH_START 2166136261U

#endif
