/*
 * A rig sets up one case of the table on one backend, with a graph and a plan as in the engine.
 *
 *     op_rig *rig;
 *     DV_TRY(op_rig_open(item, &dv_backend_cpu, &(op_rig_options){.threads = 1}, &rig));
 *     DV_TRY(op_rig_forward(rig));
 *     DV_TRY(op_rig_backward(rig));
 *     ... op_rig_find(rig, "x0")->gradient ...
 *
 * Numbers are double here, whatever type the backend computes in.
 */
#ifndef TESTS_OPS_HARNESS_H
#define TESTS_OPS_HARNESS_H

#include "engine/backends/open.h"
#include "engine/core/plan.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/cases.h"
#include "tests/op_cases/guard.h"

extern const dv_backend dv_backend_ref64;

typedef enum op_tensor_kind {
    TENSOR_INPUT,
    TENSOR_PARAMETER,
    TENSOR_STATE,
    TENSOR_OUTPUT
} op_tensor_kind;

typedef struct op_tensor {
    char name[DV_NAME_SIZE]; /* "x0", "weight", "running_mean", "y" */
    op_tensor_kind kind;
    int index;     /* number of the value or of the parameter */
    bool unwanted; /* the plan is not asked for its gradient */
    int64_t count, channels;
    double *value;    /* (count); outputs and states hold the results of forward */
    double *gradient; /* (count), or NULL without one; backward starts from the output's */
} op_tensor;

enum { OP_RIG_TENSORS = 1 + DV_MAX_INPUTS + 2 * DV_MAX_PARAMS };

typedef struct op_rig_options {
    int threads;
    bool inference;           /* make an inference plan, whatever the case says */
    bool unguarded;           /* use the backend without a guard, for timing */
    dv_algorithms algorithms; /* set in the context */
    bool plain;        /* allocate parameters in PyTorch's order, before an operation chooses */
    unsigned unwanted; /* if bit i is set, no gradient of input i is asked for */
    dv_dtype dtype;    /* type of the tensors, or of the operands of products if the backend has no
                          tensors in it. The case's numbers are rounded to it on every backend, so
                          that all compute from the same numbers */
    bool unrounded;    /* do not round the case's numbers to `dtype` */
    bool tf32;         /* set in the context */
    bool magnitudes;   /* drop the signs of the case's numbers and of the output's gradient */
    dv_log log;        /* set in the context */
    dv_context *context; /* context to borrow, for unguarded rigs, because a real device takes long
                            to open one. `algorithms`, `tf32` and `log` are set in it, and it stays
                            open. NULL opens one for the rig */
} op_rig_options;

typedef struct op_rig {
    const op_case *item;
    bool inference;
    dv_dtype dtype;
    dv_precision precision;
    bool unrounded, magnitudes;
    guard guard;
    dv_context *context;
    bool lent; /* the context is borrowed */
    dv_params *params;
    dv_graph *graph;
    dv_plan *plan;
    dv_pass pass;
    int node; /* node of the operation under test */
    op_tensor tensors[OP_RIG_TENSORS];
    int tensor_count;
    op_tensor *output;
} op_rig;

/* Builds the graph, plans it and uploads the case's data. */
dv_status op_rig_open(const op_case *item, const dv_backend *backend, const op_rig_options *options,
                      op_rig **out);
void op_rig_close(op_rig *rig);

/* Copies the tensor's value to the backend. */
dv_status op_rig_upload(op_rig *rig, const op_tensor *tensor);

/* Forward first restores the states, which an earlier forward has changed, then runs and fetches
   the output and the states. A problem that the guard finds is a failure. */
dv_status op_rig_forward(op_rig *rig);
dv_status op_rig_backward(op_rig *rig);

/* The tensor of this name, or NULL. */
const op_tensor *op_rig_find(const op_rig *rig, const char *name);

/* The roundings of a tensor's value, or of its gradient, when tensors have 16 bits, for
   tolerance_in. `terms` is the mean number of products per element, at least that of one product
   for each element of the largest tensor. */
tolerance_roundings op_rig_value_roundings(const op_rig *rig, const op_tensor *tensor);
tolerance_roundings op_rig_gradient_roundings(const op_rig *rig, const op_tensor *tensor);

/* Whether the operation is only sums of products by a library: a convolution or a linear layer
   without an activation or with ReLU, which passes a value or cuts it off. */
bool op_case_adds_products(const op_case *item);

/* Number of products, and bias, that are added up in an element of the tensor's value or, with
   `gradient`, of its gradient. 0 if the operation is more than sums of products: the slopes of
   other activations than ReLU differ for numbers without signs. */
int64_t op_rig_summands(const op_rig *rig, const op_tensor *tensor, bool gradient);

/* A case on the reference, and the same case with its numbers' signs dropped. */
typedef struct op_reference {
    op_rig *rig;
    op_rig *magnitudes; /* NULL if magnitudes are not needed */
} op_reference;

/* One comparison, of a tensor's value or of its gradient. Arrays have roundings.count elements. */
typedef struct op_comparison {
    char what[DV_NAME_SIZE + 16];
    const double *got, *want;
    const double *magnitudes; /* NULL if magnitudes are not needed */
    int64_t summands;         /* see op_rig_summands */
    tolerance_roundings roundings;
} op_comparison;

enum { OP_RIG_COMPARISONS = 2 * OP_RIG_TENSORS };

/* Lists all results of a run of `rig` against the reference. Returns their number, at most
   OP_RIG_COMPARISONS. */
int op_rig_compare(const op_rig *rig, op_reference by, op_comparison *out);

/* Whether the operation has no gradient for an input, as for the targets of a loss. */
bool op_input_constant(dv_op_id op, int input);

/* Hash of attributes, inputs, parameters and the output's gradient, from which a golden vector is
   computed. */
uint32_t op_rig_hash(op_rig *rig);

#endif
