/* Collects the operations of all models as cases, without duplicates. */
#include "benchmarks/model_ops.h"
#include "engine/ops/ops.h"

#include "engine/layers/network.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 13,
    FRAMES = 32,
    CLASSES = 10,
    TEXT_SIZE = 480
}; /* the most that op_attributes takes */

/* ---- Attributes as text ---- */

typedef struct text {
    char characters[TEXT_SIZE];
    size_t length;
} text;

static void append(text *t, const char *more)
{
    size_t length = strlen(more);
    DV_ASSERT(t->length + length < sizeof t->characters);
    memcpy(t->characters + t->length, more, length + 1);
    t->length += length;
}

/* Appends the inside of a flow map: "filters: 8, kernel: [3, 3]". */
static void append_tree(text *t, const dv_tree *tree)
{
    if (tree->kind == DV_TREE_NULL)
        append(t, "null");
    if (tree->kind == DV_TREE_SCALAR)
        append(t, tree->text);
    if (tree->kind == DV_TREE_LIST)
        append(t, "[");
    for (size_t i = 0; i < tree->count; i++) {
        append(t, i > 0 ? ", " : "");
        if (tree->kind == DV_TREE_MAP) {
            append(t, tree->children[i]->key);
            append(t, ": ");
        }
        append_tree(t, tree->children[i]);
    }
    if (tree->kind == DV_TREE_LIST)
        append(t, "]");
}

static dv_status describe(const dv_node *node, text *out)
{
    *out = (text){.length = 0};
    if (node->op->fields == NULL)
        return DV_OK;
    dv_tree *map;
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &map));
    dv_status status = dv_fields_write(node->op->fields, node->attr, map);
    if (status == DV_OK)
        append_tree(out, map);
    dv_tree_free(map);
    return status;
}

/* ---- Cases ---- */

static bool same_inputs(const op_case *a, const op_case *b)
{
    for (int i = 0; i < DV_MAX_INPUTS; i++) {
        if (!dv_shape_equal(a->inputs[i].shape, b->inputs[i].shape))
            return false;
    }
    return true;
}

static model_op *find(const model_ops *ops, const model_op *wanted)
{
    for (size_t i = 0; i < ops->count; i++) {
        model_op *op = &ops->items[i];
        if (op->item.op == wanted->item.op && op->unwanted == wanted->unwanted &&
            strcmp(op->item.attributes, wanted->item.attributes) == 0 &&
            same_inputs(&op->item, &wanted->item))
            return op;
    }
    return NULL;
}

static dv_status append_op(model_ops *ops, const model_op *op, const char *name)
{
    model_op *more = realloc(ops->items, (ops->count + 1) * sizeof *more);
    char *attributes, *copy;
    if (more == NULL)
        return DV_FAIL(DV_ENOMEM, "%zu operations", ops->count + 1);
    ops->items = more;
    DV_TRY(dv_strdup(op->item.attributes, &attributes));
    dv_status status = dv_strdup(name, &copy);
    if (status != DV_OK) {
        free(attributes);
        return status;
    }
    model_op *added = &ops->items[ops->count++];
    *added = *op;
    added->item.attributes = attributes;
    added->item.name = copy;
    return DV_OK;
}

static dv_status add_node(model_ops *ops, const char *model, const dv_graph *graph,
                          const dv_node *node)
{
    text attributes;
    char name[BENCH_NAME_SIZE];
    DV_TRY(describe(node, &attributes));
    model_op op = {.item = {.op = node->op->id, .attributes = attributes.characters}, .uses = 1};
    for (int i = 0; i < node->input_count; i++) {
        op.item.inputs[i] = (op_input){.shape = dv_node_input(graph, node, i)};
        if (graph->nodes[node->inputs[i]].op == &dv_op_input)
            op.unwanted |= 1U << i;
    }
    model_op *known = find(ops, &op);
    if (known != NULL) {
        known->uses++;
        return DV_OK;
    }
    DV_TRY(bench_format(name, sizeof name, "%s/%s/%s", node->op->name, model, node->name));
    return append_op(ops, &op, name);
}

static dv_status add_model(const bench *b, const char *name, int64_t batch, model_ops *ops)
{
    dv_status status;
    dv_tree *model = NULL;
    dv_network network = {0};
    dv_network_options options = {
        .batch = batch, .rows = ROWS, .frames = FRAMES, .classes = CLASSES};
    DV_TRY_GOTO(bench_model(b, name, &model));
    options.model = model;
    DV_TRY_GOTO(dv_network_build(b->context, &options, &network));
    const dv_graph *graph = network.graph;
    for (int i = 0; i < graph->count; i++) {
        if (graph->nodes[i].op != &dv_op_input)
            DV_TRY_GOTO(add_node(ops, name, graph, &graph->nodes[i]));
    }
fail:
    dv_network_free(&network);
    dv_tree_free(model);
    return status;
}

dv_status model_ops_collect(const bench *b, int64_t batch, model_ops *out)
{
    bench_names models;
    *out = (model_ops){0};
    DV_TRY(bench_list(b->chosen.models, ".yaml", &models));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < models.count; i++)
        status = add_model(b, models.items[i], batch, out);
    bench_names_free(&models);
    if (status != DV_OK)
        model_ops_free(out);
    return status;
}

void model_ops_free(model_ops *ops)
{
    for (size_t i = 0; i < ops->count; i++) {
        free((char *)ops->items[i].item.name);
        free((char *)ops->items[i].item.attributes);
    }
    free(ops->items);
    *ops = (model_ops){0};
}
