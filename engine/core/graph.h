/*
 * A graph: nodes in the order they are computed. A node has one output, so the number of a node is
 * also the number of its value. Shapes are checked as the nodes are added; nothing is computed.
 */
#ifndef DV_CORE_GRAPH_H
#define DV_CORE_GRAPH_H

#include "engine/core/op.h"
#include "engine/core/params.h"

#include <stdio.h>

struct dv_node {
    const dv_op *op;
    char name[DV_NAME_SIZE];
    void *attr; /* op->attr_size bytes, owned by the graph; NULL where there are none */
    int id;     /* place in the graph */
    int inputs[DV_MAX_INPUTS];
    int input_count;
    dv_shape shape;            /* of the output */
    dv_type type;              /* of the output */
    int params[DV_MAX_PARAMS]; /* trainable, numbers in graph->params */
    int param_count;
    int states[DV_MAX_PARAMS]; /* not trained */
    int state_count;
};

struct dv_graph {
    dv_params *params; /* borrowed: several graphs (train, evaluate) share one; its precision is the
                          graph's */
    dv_node *nodes;    /* (count) */
    int count;
    int capacity;
};

/* An empty graph; parameters go into `params`, which must outlive it. */
dv_status dv_graph_create(dv_params *params, dv_graph **out);
void dv_graph_free(dv_graph *graph);

/* A value that comes from outside: the features, the targets. It has the type of the values of the
   graph's precision, or DV_F32 where the first operation that uses it says so
   (dv_op.full_inputs). */
dv_status dv_graph_input(dv_graph *graph, const char *name, dv_shape shape, int *value);

/* Appends a node. `attr` (op->attr_size bytes) is copied. DV_ESHAPE and DV_EARG name the layer,
   the shapes and what was expected. */
dv_status dv_graph_add(dv_graph *graph, const dv_op *op, const char *name, const void *attr,
                       const int *inputs, int input_count, int *value);

static inline dv_shape dv_graph_shape(const dv_graph *graph, int value)
{
    return graph->nodes[value].shape;
}

/* Which forward values the node's backward reads: DV_READS_OUTPUT and DV_READS_INPUT(i). */
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

/*
 * For infer: declares the parameter "<node name>.<suffix>", or finds it where another graph over
 * the same params has declared it with the same shape. Products read it in the operands of the
 * graph's precision. Where the node's type is another one than that of the precision's values, they
 * read it in the node's type, a vector (of a bias) in DV_F32 if that type is scaled.
 */
typedef struct dv_param_spec {
    const char *suffix; /* "weight", "bias", "running_mean", ... */
    int rank;
    int64_t dim[4]; /* PyTorch's order: (O,I,H,W), (O,I), (C) */
    dv_init init;
    bool decay;     /* weight decay applies */
    bool trainable; /* false: a state */
} dv_param_spec;
dv_status dv_node_param(dv_graph *graph, dv_node *node, const dv_param_spec *spec);

/* For infer: fails with DV_ESHAPE unless all inputs have the shape of the first. */
dv_status dv_node_same_shapes(const dv_graph *graph, const dv_node *node);

/* The table at the start: "#  name  op  output shape  parameters  MFLOPs", one line per call of
   `line` (no newline), MFLOPs (2 x multiply-adds) per sample; a last line with the totals. */
typedef void (*dv_line_fn)(void *user, const char *line);
void dv_graph_table(const dv_graph *graph, dv_line_fn line, void *user);

/* GraphViz. */
void dv_graph_dot(const dv_graph *graph, FILE *file);

/* Multiply-adds of one forward pass over the batch. */
int64_t dv_graph_macs(const dv_graph *graph);

#endif
