/*
 * An operation: a backend-free part (attributes, shape inference, cost), written once, and per
 * backend one dv_impl. engine/ops/ops.def lists all; a folder each, a file per backend:
 *
 *     engine/ops/conv2d/conv2d.h   attributes
 *     engine/ops/conv2d/conv2d.c   dv_op dv_op_conv2d: fields, shapes, parameters
 *     engine/ops/conv2d/program.c  dv_op_conv2d.write: the same in a program for other runtimes
 *     engine/ops/conv2d/ref.c      dv_impl dv_conv2d_ref: plain loops, double accumulation
 *     engine/ops/conv2d/cpu.c      dv_impl dv_conv2d_cpu: oneDNN
 *
 * How an operation comes to life:
 *     build   infer: shape of the output, parameters; messages name the layer and both shapes
 *     absorb  per backend, in plans that only infer: which nodes behind it a step computes along
 *     plan    per backend: descriptors, algorithms, memory that is saved from forward to backward,
 *             scratch; all allocation happens here
 *     write   for export: the statements that compute it in other runtimes, written once
 *     run     forward, backward: no allocation, no descriptor, no synchronisation
 *     drop    frees what plan made
 */
#ifndef DV_CORE_OP_H
#define DV_CORE_OP_H

#include "engine/base/field.h"
#include "engine/core/tensor.h"
#include "kernels/formulas/dtype.h"

typedef struct dv_context dv_context;
typedef struct dv_backend dv_backend;
typedef struct dv_graph dv_graph;
typedef struct dv_node dv_node;
typedef struct dv_planner dv_planner;
typedef struct dv_writer dv_writer;
typedef struct dv_node_step dv_node_step;

enum { DV_MAX_INPUTS = 8, DV_MAX_PARAMS = 4, DV_NAME_SIZE = 128 };

/* Which forward values backward reads: the planner keeps them alive. Bit i: input i. */
#define DV_READS_OUTPUT (1U << 31)
#define DV_READS_INPUT(i) (1U << (i))

typedef struct dv_op {
    int id; /* place in the backends' tables of implementations; -1: none computes it */
    const char *name;
    int inputs_min, inputs_max;
    size_t attr_size;
    const dv_field *fields; /* attributes as the configuration writes them; NULL: none */
    const char *help;

    /* Checks the attributes and inputs, sets node->shape, declares parameters (dv_node_param). */
    dv_status (*infer)(dv_graph *graph, dv_node *node);
    /* Multiply-adds of one forward pass over the whole batch; NULL: not worth counting. */
    int64_t (*macs)(const dv_graph *graph, const dv_node *node);
    unsigned backward_reads;
    /* What of it a node with these attributes can do without, on every backend; NULL: nothing. */
    unsigned (*backward_spares)(const dv_node *node);
    /* Inputs have one type, that of the first, and the output has it too. But these are DV_F32: */
    unsigned full_inputs; /* bit i (DV_READS_INPUT): input i */
    bool full_output;
    bool training_only; /* but in training the output is the input */
    bool graph_only;    /* no layer of a configuration: what builds graphs adds it */
    /* Adds the statements that compute the node in inference to a program (writer.h); NULL: only
       training knows it, or no network of a configuration has it. */
    dv_status (*write)(dv_writer *writer, const dv_node *node);
} dv_op;

static inline bool dv_op_full_input(const dv_op *op, int input)
{
    return (op->full_inputs & DV_READS_INPUT(input)) != 0;
}

/* One backend's way to compute one operation. */
typedef struct dv_impl {
    /* May be NULL: nothing to plan. On failure it frees what it made; drop is not called. */
    dv_status (*plan)(dv_planner *planner, dv_node_step *step);
    dv_status (*forward)(dv_node_step *step);
    /* Writes dx[i] (where not NULL) and dw[i]: writes, never adds; the core adds where a value has
       several users. NULL: the operation has no gradient. */
    dv_status (*backward)(dv_node_step *step);
    void (*drop)(dv_node_step *step); /* may be NULL */
    /*
     * Before plan, in a plan that only infers: `next` is the only user of what the step has come to
     * (its node's value, or that of the last node it has absorbed), as input `input`. True: forward
     * computes next along and writes next's value. It runs in next's place, when next's other
     * inputs are there. NULL: absorbs nothing.
     */
    bool (*absorb)(dv_planner *planner, dv_node_step *step, const dv_node *next, int input);
    /* Before plan: whether it computes a step whose inputs, output and operands are of other types
       than one that the backend's values may have (and DV_F32 where the operation says so). NULL:
       no. What it does not compute, the plan refuses. */
    bool (*computes)(const dv_node_step *step);
} dv_impl;

/* What changes from one run of a plan to the next. */
typedef struct dv_pass {
    bool training; /* batch statistics, dropout */
    uint64_t seed; /* of the random numbers */
    uint64_t step; /* training step, counted from 0 */
    /* Device memory. Where it is not NULL, a device that runs apart from the host takes the step
       from it: the step is then right also when the run is a replay. */
    const struct dv_progress *progress;
} dv_pass;

/* A node that the step of an earlier one computes along. */
typedef struct dv_absorbed {
    const dv_node *node;
    const void *x[DV_MAX_INPUTS]; /* inputs; NULL: what the step has computed so far */
    const void *w[DV_MAX_PARAMS];
    const void *state[DV_MAX_PARAMS];
} dv_absorbed;

/*
 * A planned node: what forward and backward see. Pointers are device memory, contiguous, 64-byte
 * aligned; saved and scratch memory 256-byte, as libraries ask of a workspace. A value and its
 * gradient are of the value's type; parameters, their gradients and states are DV_F32.
 */
struct dv_node_step {
    const dv_node *node;
    dv_context *context;
    const dv_pass *pass;
    void *self; /* the implementation's own, from plan to drop */

    dv_shape in[DV_MAX_INPUTS];   /* shapes of the inputs; the output's is node->shape */
    const dv_type *x_type;        /* types of the inputs; the output's is node->type */
    const dv_dtype *w_type;       /* types of w_operand, known in plan */
    bool wants_dx[DV_MAX_INPUTS]; /* known in plan: false where nobody needs the gradient */
    bool training;                /* known in plan: false when there will be no backward */
    bool frozen; /* known in plan: the first parameter is not trained; without parameters, in
                    training: the node is in a part that is not trained */
    const dv_absorbed *absorbed; /* (absorbed_count) in order; nodes known in plan */
    int absorbed_count;

    const void *x[DV_MAX_INPUTS]; /* inputs */
    void *y;                      /* output: of the last node absorbed, where there are any */
    const void *dy;               /* gradient of the output */
    void *dx[DV_MAX_INPUTS];      /* gradients of the inputs, NULL where not wanted */
    const void *w[DV_MAX_PARAMS]; /* trainable parameters, in the parameter's layout */
    /* The same as products read it: rounded to w_type; w itself where that is DV_F32. */
    const void *w_operand[DV_MAX_PARAMS];
    const float *w_scales[DV_MAX_PARAMS]; /* where w_type is scaled: of each output channel */
    void *dw[DV_MAX_PARAMS];              /* their gradients, same layout */
    void *state[DV_MAX_PARAMS];           /* parameters that are not trained: running statistics */
    void *saved;                          /* as asked for with dv_planner_save */
    void *scratch;                        /* as asked for with dv_planner_scratch */
};

/* "input", a value from outside (dv_graph_input): what the core itself knows. All others are of
   engine/ops/ops.h. */
extern const dv_op dv_op_input;

#endif
