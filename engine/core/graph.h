/*
 * A graph: a list of nodes in the order of their computation. A node has one output, so the number
 * of a node is also the number of its value. Adding a node checks shapes but computes nothing.
 */
#ifndef DV_CORE_GRAPH_H
#define DV_CORE_GRAPH_H

#include "engine/core/op.h"
#include "engine/core/params.h"

#include <stdio.h>

struct dv_node {
    const dv_op *op;
    char name[DV_NAME_SIZE];
    void *attr; /* op->attr_size bytes, owned by the graph; NULL if that is 0 */
    int id;     /* index in the graph */
    int inputs[DV_MAX_INPUTS];
    int input_count;
    dv_shape shape;            /* output shape */
    dv_type type;              /* output type */
    int params[DV_MAX_PARAMS]; /* trainable parameters: indices into graph->params */
    int param_count;
    int states[DV_MAX_PARAMS]; /* parameters that are not trained, likewise */
    int state_count;
};

struct dv_graph {
    dv_params *params; /* borrowed, and shared by the graphs for training and evaluation; has the
                          graph's precision */
    dv_node *nodes;    /* (count) */
    int count;
    int capacity;
};

/* Makes an empty graph. Its parameters go into `params`, which must outlive it. */
dv_status dv_graph_create(dv_params *params, dv_graph **out);
void dv_graph_free(dv_graph *graph);

/* Appends an input: a value from outside, such as the features or the targets. Its type is the type
   of values in the graph's precision, or DV_F32 if its first user asks for that
   (dv_op.full_inputs). */
dv_status dv_graph_input(dv_graph *graph, const char *name, dv_shape shape, int *value);

/* Appends a node. `attr` (op->attr_size bytes) is copied. The messages of DV_ESHAPE and DV_EARG
   name the layer, the shapes and the expectation. */
dv_status dv_graph_add(dv_graph *graph, const dv_op *op, const char *name, const void *attr,
                       const int *inputs, int input_count, int *value);

static inline dv_shape dv_graph_shape(const dv_graph *graph, int value)
{
    return graph->nodes[value].shape;
}

/* The forward values that the node's backward reads: DV_READS_OUTPUT and DV_READS_INPUT(i). */
static inline unsigned dv_node_backward_reads(const dv_node *node)
{
    unsigned spares = node->op->backward_spares != NULL ? node->op->backward_spares(node) : 0;
    return node->op->backward_reads & ~spares;
}

/* The shape of input i of a node. */
static inline dv_shape dv_node_input(const dv_graph *graph, const dv_node *node, int i)
{
    return graph->nodes[node->inputs[i]].shape;
}

typedef struct dv_param_spec {
    const char *suffix; /* "weight", "bias", "running_mean", ... */
    int rank;
    int64_t dim[4]; /* PyTorch's order: (O,I,H,W), (O,I), (C) */
    dv_init init;
    bool decay;     /* weight decay applies */
    bool trainable; /* false for a state, such as running statistics */
} dv_param_spec;

/*
 * Called by infer: declares the parameter "<node name>.<suffix>", or finds it if another graph over
 * the same params has declared it with the same shape. Products read it in the operands' type of
 * the graph's precision. If the node's type differs from the values' type of the precision,
 * products read it in the node's type, except a vector (a bias), which stays DV_F32 if that type is
 * scaled.
 */
dv_status dv_node_param(dv_graph *graph, dv_node *node, const dv_param_spec *spec);

/* Called by infer: fails with DV_ESHAPE unless all inputs have the shape of the first. */
dv_status dv_node_same_shapes(const dv_graph *graph, const dv_node *node);

/* Prints the table of the graph, one call of `line` per line, without newlines: "#  name  op
   output shape  parameters  MFLOPs". MFLOPs (2 x multiply-adds) are per sample. The last line has
   the totals. */
typedef void (*dv_line_fn)(void *user, const char *line);
void dv_graph_table(const dv_graph *graph, dv_line_fn line, void *user);

/* Writes the graph for GraphViz. */
void dv_graph_dot(const dv_graph *graph, FILE *file);

/* Multiply-adds of one forward pass over the batch. */
int64_t dv_graph_macs(const dv_graph *graph);

#endif
