/* Builds graphs node by node, and describes them as a table or for GraphViz. */
#include "engine/core/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

dv_status dv_graph_create(dv_params *params, dv_graph **out)
{
    DV_TRY(dv_calloc(1, sizeof **out, out));
    (*out)->params = params;
    return DV_OK;
}

void dv_graph_free(dv_graph *graph)
{
    if (graph == NULL)
        return;
    for (int i = 0; i < graph->count; i++)
        free(graph->nodes[i].attr);
    free(graph->nodes);
    free(graph);
}

/* Adds a zeroed node at the end, which does not count yet, so that a failure leaves the graph as it
   was. */
static dv_status next_node(dv_graph *graph, const dv_op *op, const char *name, dv_node **out)
{
    if (graph->count == graph->capacity) {
        int capacity = graph->capacity > 0 ? 2 * graph->capacity : 64;
        dv_node *nodes = realloc(graph->nodes, (size_t)capacity * sizeof *nodes);
        if (nodes == NULL)
            return DV_FAIL(DV_ENOMEM, "out of memory: a graph of %d nodes", capacity);
        graph->nodes = nodes;
        graph->capacity = capacity;
    }
    dv_node *node = &graph->nodes[graph->count];
    memset(node, 0, sizeof *node);
    node->op = op;
    node->id = graph->count;
    if (strlen(name) >= sizeof node->name)
        return DV_FAIL(DV_EARG, "the layer name '%.40s...' is too long", name);
    strcpy(node->name, name);
    *out = node;
    return DV_OK;
}

const dv_op dv_op_input = {.id = -1, .name = "input", .help = "a value from outside"};

dv_status dv_graph_input(dv_graph *graph, const char *name, dv_shape shape, int *value)
{
    dv_node *node;
    DV_TRY(next_node(graph, &dv_op_input, name, &node));
    if (shape.n < 1 || shape.h < 1 || shape.w < 1 || shape.c < 1)
        return DV_FAIL(DV_ESHAPE, "input '%s' has the empty shape %s", name,
                       dv_shape_format(shape).text);
    node->shape = shape;
    node->type.dtype = graph->params->precision.values;
    *value = graph->count++;
    return DV_OK;
}

static bool is_used(const dv_graph *graph, int value)
{
    for (int i = 0; i < graph->count; i++) {
        for (int k = 0; k < graph->nodes[i].input_count; k++) {
            if (graph->nodes[i].inputs[k] == value)
                return true;
        }
    }
    return false;
}

static dv_status check_type(const dv_graph *graph, const dv_node *node, int input, dv_type wanted)
{
    const dv_node *from = &graph->nodes[node->inputs[input]];
    if (dv_type_equal(from->type, wanted))
        return DV_OK;
    if (from->type.dtype == wanted.dtype)
        return DV_FAIL(DV_EARG, "%s '%s': input %d, '%s', has the scale %g, but must have %g",
                       node->op->name, node->name, input, from->name, (double)from->type.scale,
                       (double)wanted.scale);
    return DV_FAIL(DV_EARG, "%s '%s': input %d, '%s', is in %s, but must be in %s", node->op->name,
                   node->name, input, from->name, dv_dtype_name(from->type.dtype),
                   dv_dtype_name(wanted.dtype));
}

/* Gives the node the type of its inputs, which infer may change. An unused input of the graph
   becomes DV_F32 if the node needs that. */
static dv_status settle_types(dv_graph *graph, dv_node *node)
{
    const dv_type full = {.dtype = DV_F32};
    dv_type common = {.dtype = graph->params->precision.values};
    for (int i = node->input_count - 1; i >= 0; i--) {
        dv_node *input = &graph->nodes[node->inputs[i]];
        if (!dv_op_full_input(node->op, i))
            common = input->type;
        else if (input->op == &dv_op_input && !is_used(graph, input->id))
            input->type = full;
    }
    for (int i = 0; i < node->input_count; i++)
        DV_TRY(check_type(graph, node, i, dv_op_full_input(node->op, i) ? full : common));
    node->type = node->op->full_output ? full : common;
    return DV_OK;
}

/* Fills a node at the end of the graph: its inputs, a copy of its attributes and, by the
   operation's infer, its shape and parameters. The node counts only after all of this has
   succeeded. */
dv_status dv_graph_add(dv_graph *graph, const dv_op *op, const char *name, const void *attr,
                       const int *inputs, int input_count, int *value)
{
    dv_node *node;
    DV_TRY(next_node(graph, op, name, &node));
    if (input_count < node->op->inputs_min || input_count > node->op->inputs_max)
        return DV_FAIL(DV_EARG, "%s '%s' has %d inputs, takes %d to %d", node->op->name, name,
                       input_count, node->op->inputs_min, node->op->inputs_max);
    node->input_count = input_count;
    for (int i = 0; i < input_count; i++) {
        DV_ASSERT(inputs[i] >= 0 && inputs[i] < graph->count);
        node->inputs[i] = inputs[i];
    }
    if (node->op->attr_size > 0) {
        DV_TRY(dv_calloc(1, node->op->attr_size, &node->attr));
        memcpy(node->attr, attr, node->op->attr_size);
    }
    dv_status status = settle_types(graph, node);
    if (status == DV_OK)
        status = node->op->infer(graph, node);
    if (status != DV_OK) {
        free(node->attr);
        return status;
    }
    *value = graph->count++;
    return DV_OK;
}

dv_status dv_node_same_shapes(const dv_graph *graph, const dv_node *node)
{
    dv_shape first = dv_node_input(graph, node, 0);
    for (int i = 1; i < node->input_count; i++) {
        dv_shape other = dv_node_input(graph, node, i);
        if (!dv_shape_equal(first, other))
            return DV_FAIL(DV_ESHAPE, "%s '%s': input %d has shape %s, input 0 has %s",
                           node->op->name, node->name, i, dv_shape_format(other).text,
                           dv_shape_format(first).text);
    }
    return DV_OK;
}

static int64_t node_parameters(const dv_graph *graph, const dv_node *node)
{
    int64_t count = 0;
    for (int i = 0; i < node->param_count; i++)
        count += graph->params->items[node->params[i]].count;
    return count;
}

static int64_t node_macs(const dv_graph *graph, const dv_node *node)
{
    return node->op->macs != NULL ? node->op->macs(graph, node) : 0;
}

int64_t dv_graph_macs(const dv_graph *graph)
{
    int64_t macs = 0;
    for (int i = 0; i < graph->count; i++)
        macs += node_macs(graph, &graph->nodes[i]);
    return macs;
}

/* Passes the header, a line for each node, and a line with the totals to `line`. */
void dv_graph_table(const dv_graph *graph, dv_line_fn line, void *user)
{
    char text[320];
    snprintf(text, sizeof text, "%4s  %-34s %-22s %-22s %10s %9s", "#", "name", "op",
             "output shape", "parameters", "MFLOPs");
    line(user, text);
    int64_t parameters = 0;
    double total = 0;
    for (int i = 0; i < graph->count; i++) {
        const dv_node *node = &graph->nodes[i];
        double mflops = 2e-6 * (double)node_macs(graph, node) / (double)node->shape.n;
        snprintf(text, sizeof text, "%4d  %-34s %-22s %-22s %10" PRId64 " %9.3f", i, node->name,
                 node->op->name, dv_shape_format(node->shape).text, node_parameters(graph, node),
                 mflops);
        line(user, text);
        parameters += node_parameters(graph, node);
        total += mflops;
    }
    snprintf(text, sizeof text, "total: %" PRId64 " parameters, %.3f MFLOPs per sample", parameters,
             total);
    line(user, text);
}

void dv_graph_dot(const dv_graph *graph, FILE *file)
{
    fprintf(file, "digraph model {\n    node [shape=box];\n");
    for (int i = 0; i < graph->count; i++) {
        const dv_node *node = &graph->nodes[i];
        fprintf(file, "    n%d [label=\"%s\\n%s\\n%s\"];\n", i, node->name, node->op->name,
                dv_shape_format(node->shape).text);
        for (int k = 0; k < node->input_count; k++)
            fprintf(file, "    n%d -> n%d;\n", node->inputs[k], i);
    }
    fprintf(file, "}\n");
}
