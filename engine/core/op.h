/*
 * An operation: one part that no backend is needed for (attributes, shape inference, cost), and one
 * dv_impl per backend. engine/ops/ops.def lists all operations. Each has a folder, with a file per
 * backend:
 *
 *     engine/ops/conv2d/conv2d.h   attributes
 *     engine/ops/conv2d/conv2d.c   dv_op dv_op_conv2d: fields, shapes, parameters
 *     engine/ops/conv2d/program.c  dv_op_conv2d.write: statements for other runtimes
 *     engine/ops/conv2d/ref.c      dv_impl dv_conv2d_ref: plain loops, double accumulation
 *     engine/ops/conv2d/cpu.c      dv_impl dv_conv2d_cpu: oneDNN
 *
 * The life of a node:
 *     build   infer sets the output shape and declares parameters; messages name the layer and both
 *             shapes
 *     absorb  in an inference plan, the backend decides which of the next nodes this step computes
 *     plan    the backend makes descriptors, chooses algorithms, and asks for memory that is saved
 *             from forward to backward and for scratch; all allocation happens here
 *     run     forward and backward allocate nothing, make no descriptors and do not synchronise
 *     drop    frees everything that plan made
 *     write   for export: adds the node's statements to a program
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

/* The forward values that backward reads, which the planner keeps alive. Bit i is input i. */
#define DV_READS_OUTPUT (1U << 31)
#define DV_READS_INPUT(i) (1U << (i))

typedef struct dv_op {
    int id; /* index into the backends' tables of implementations; -1 if no backend computes it */
    const char *name;
    int inputs_min, inputs_max;
    size_t attr_size;
    const dv_field *fields; /* attributes in the configuration; NULL if there are none */
    const char *help;

    /* Checks the attributes and inputs, sets node->shape, declares parameters (dv_node_param). */
    dv_status (*infer)(dv_graph *graph, dv_node *node);
    /* Multiply-adds of one forward pass over the whole batch. NULL if not worth counting. */
    int64_t (*macs)(const dv_graph *graph, const dv_node *node);
    unsigned backward_reads; /* DV_READS_OUTPUT, DV_READS_INPUT(i) */
    /* The part of backward_reads that a node with these attributes does not need on any backend.
       NULL if it needs all of it. */
    unsigned (*backward_spares)(const dv_node *node);
    /* All inputs and the output have the first input's type, except these, which are DV_F32: */
    unsigned full_inputs; /* bits DV_READS_INPUT(i) */
    bool full_output;
    bool training_only; /* outside training the output equals the input (dropout); inference plans
                           drop the node */
    bool graph_only;    /* not a layer of a configuration: code that builds graphs adds it */
    /* Adds the statements that compute the node in inference to a program (writer.h). NULL for an
       operation that only training uses or that no network of a configuration has. */
    dv_status (*write)(dv_writer *writer, const dv_node *node);
} dv_op;

static inline bool dv_op_full_input(const dv_op *op, int input)
{
    return (op->full_inputs & DV_READS_INPUT(input)) != 0;
}

/* One backend's implementation of one operation. */
typedef struct dv_impl {
    /* May be NULL. A failing plan frees everything it made; drop is not called. */
    dv_status (*plan)(dv_planner *planner, dv_node_step *step);
    dv_status (*forward)(dv_node_step *step);
    /* Writes dw[i], and dx[i] unless it is NULL. It never adds: the core sums the gradients of a
       value with several users. NULL if the operation has no gradient. */
    dv_status (*backward)(dv_node_step *step);
    void (*drop)(dv_node_step *step); /* may be NULL */
    /*
     * Asked before plan, in an inference plan: whether the step also computes `next`, the only user
     * (as its input `input`) of the step's result so far. That is the value of its node or of the
     * last node it absorbed. If true, forward writes next's value; it runs at next's turn, when
     * next's other inputs are ready. NULL absorbs nothing.
     */
    bool (*absorb)(dv_planner *planner, dv_node_step *step, const dv_node *next, int input);
    /* Asked before plan, if the step's values have several types (a DV_F32 that the operation asks
       for does not count) or a type outside the backend's `values`, or an operand is scaled:
       whether the step can be computed. The plan is refused if not. NULL stands for no. */
    bool (*computes)(const dv_node_step *step);
} dv_impl;

/* The arguments of one run of a plan. */
typedef struct dv_pass {
    bool training; /* use batch statistics and dropout */
    uint64_t seed; /* seed of the random numbers */
    uint64_t step; /* training step, from 0 */
    /* Device memory. If it is not NULL, a device that enqueues work reads the step from it, so that
       a replay has the right step. */
    const struct dv_progress *progress;
} dv_pass;

/* A node that the step of an earlier node computes. */
typedef struct dv_absorbed {
    const dv_node *node;
    const void *x[DV_MAX_INPUTS]; /* inputs; NULL stands for the step's result so far */
    const void *w[DV_MAX_PARAMS];
    const void *state[DV_MAX_PARAMS];
} dv_absorbed;

/*
 * A planned node, as forward and backward see it. Pointers are contiguous device memory, 64-byte
 * aligned; saved and scratch memory is 256-byte aligned, as libraries want their workspaces. A
 * value and its gradient have the value's type; parameters, their gradients and states are DV_F32.
 */
struct dv_node_step {
    const dv_node *node;
    dv_context *context;
    const dv_pass *pass;
    void *self; /* data of the implementation, from plan to drop */

    /* Known before plan: */
    dv_shape in[DV_MAX_INPUTS];   /* shapes of the inputs; the output has node->shape */
    const dv_type *x_type;        /* types of the inputs; the output has node->type */
    const dv_dtype *w_type;       /* types of w_operand */
    bool wants_dx[DV_MAX_INPUTS]; /* false if the input's gradient is not needed */
    bool training;                /* false if there will be no backward */
    /* With parameters, the first one is frozen. Without parameters, in training, everything before
       the node and all parameters that read its value next are frozen. */
    bool frozen;
    const dv_absorbed *absorbed; /* (absorbed_count) in order; at first only their nodes are set */
    int absorbed_count;

    const void *x[DV_MAX_INPUTS]; /* inputs */
    void *y;                      /* output of the node, or of the last absorbed node */
    const void *dy;               /* gradient of the output */
    void *dx[DV_MAX_INPUTS];      /* gradients of the inputs; NULL if not wanted */
    const void *w[DV_MAX_PARAMS]; /* trainable parameters, in the parameter's layout */
    /* The parameters that products read: rounded to w_type, or w itself for DV_F32. */
    const void *w_operand[DV_MAX_PARAMS];
    const float *w_scales[DV_MAX_PARAMS]; /* scales of the output channels, for a scaled w_type */
    void *dw[DV_MAX_PARAMS];              /* gradients of w, in the same layout */
    void *state[DV_MAX_PARAMS];           /* parameters that are not trained: running statistics */
    void *saved;                          /* memory requested with dv_planner_save */
    void *scratch;                        /* memory requested with dv_planner_scratch */
};

/* "input", a value from outside (dv_graph_input), is the only operation in core/. engine/ops/ops.h
   has all others. */
extern const dv_op dv_op_input;

#endif
