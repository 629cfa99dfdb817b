/*
 * A rig: one case of the table set up on one backend, through a graph and a plan as in the engine.
 *
 *     op_rig *rig;
 *     DV_TRY(op_rig_open(item, &dv_backend_cpu, &(op_rig_options){.threads = 1}, &rig));
 *     DV_TRY(op_rig_forward(rig));
 *     DV_TRY(op_rig_backward(rig));
 *     ... op_rig_find(rig, "x0")->gradient ...
 *
 * Numbers are double here whatever the backend computes in.
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
    int index;     /* number of the value, or of the parameter */
    bool unwanted; /* its gradient is not asked for: a class of its own in plans */
    int64_t count, channels;
    double *value;    /* (count) outputs and states: as forward has left them */
    double *gradient; /* (count) of the output: what backward starts from; NULL: has none */
} op_tensor;

enum { OP_RIG_TENSORS = 1 + DV_MAX_INPUTS + 2 * DV_MAX_PARAMS };

typedef struct op_rig_options {
    int threads;
    bool inference;           /* an inference plan, whatever the case says */
    bool unguarded;           /* the backend as it is: for timing */
    dv_algorithms algorithms; /* as in the context */
    bool plain;        /* parameters are in PyTorch's order before the operation can choose */
    unsigned unwanted; /* bit i: the gradient of input i is not asked for */
    dv_dtype dtype;    /* of the tensors, where the backend has values in it, or of the operands of
                          all products. Whether it has or not, the case's numbers are rounded to it:
                          both then compute from the same */
    bool unrounded;    /* but here they stay as they are */
    bool tf32;         /* as in the context */
    bool magnitudes;   /* the case's numbers without their signs, the output's gradient included */
    dv_log log;        /* of the context */
    dv_context *context; /* one of the backend to work in, for rigs that are unguarded: opening one
                            takes a real device long. Algorithms, TF32 and log are set in it; it
                            stays open. NULL: one of the rig's own */
} op_rig_options;

typedef struct op_rig {
    const op_case *item;
    bool inference;
    dv_dtype dtype;
    dv_precision precision;
    bool unrounded, magnitudes;
    guard guard;
    dv_context *context;
    bool lent; /* the context is not the rig's */
    dv_params *params;
    dv_graph *graph;
    dv_plan *plan;
    dv_pass pass;
    int node; /* the operation under test */
    op_tensor tensors[OP_RIG_TENSORS];
    int tensor_count;
    op_tensor *output;
} op_rig;

/* Builds, plans and uploads the case's data. */
dv_status op_rig_open(const op_case *item, const dv_backend *backend, const op_rig_options *options,
                      op_rig **out);
void op_rig_close(op_rig *rig);

/* Sends the tensor's value to the backend. */
dv_status op_rig_upload(op_rig *rig, const op_tensor *tensor);

/* Uploads the states (an earlier forward has changed them), runs, fetches output and states. A
   guard's finding is a failure. */
dv_status op_rig_forward(op_rig *rig);
dv_status op_rig_backward(op_rig *rig);

const op_tensor *op_rig_find(const op_rig *rig, const char *name); /* NULL: no such tensor */

/* How the tensor's value, or its gradient, is rounded where tensors have 16 bits; for tolerance_in.
   The products added up in an element are counted on average, and at least. */
tolerance_roundings op_rig_value_roundings(const op_rig *rig, const op_tensor *tensor);
tolerance_roundings op_rig_gradient_roundings(const op_rig *rig, const op_tensor *tensor);

/* Whether the case is one of sums of products by a library and nothing more: a convolution or a
   linear layer without an activation or with a ReLU, which passes or cuts. */
bool op_case_adds_products(const op_case *item);

/* Number of products that are added up in an element of the tensor's value or, where `gradient`, of
   its gradient, the bias included. 0: the operation is more than sums of products, as it is with an
   activation other than ReLU, whose slopes are not those of the numbers without signs. */
int64_t op_rig_summands(const op_rig *rig, const op_tensor *tensor, bool gradient);

/* A case on the reference: its results, and those of its numbers without their signs. */
typedef struct op_reference {
    op_rig *rig;
    op_rig *magnitudes; /* NULL: they are not asked for */
} op_reference;

/* What is compared of a tensor: its value, or its gradient; all (roundings.count). */
typedef struct op_comparison {
    char what[DV_NAME_SIZE + 16];
    const double *got, *want;
    const double *magnitudes; /* NULL: they are not asked for */
    int64_t summands;         /* see op_rig_summands */
    tolerance_roundings roundings;
} op_comparison;

enum { OP_RIG_COMPARISONS = 2 * OP_RIG_TENSORS };

/* All that a run of `rig` has given; their number, at most OP_RIG_COMPARISONS. */
int op_rig_compare(const op_rig *rig, op_reference by, op_comparison *out);

/* True for inputs that an operation has no gradient for: the targets of a loss. */
bool op_input_constant(dv_op_id op, int input);

/* Hash of attributes, inputs and parameters: what a golden vector was computed from. */
uint32_t op_rig_hash(op_rig *rig);

#endif
