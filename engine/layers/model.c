/* Builds a graph from the list of layers of a model. Each entry is read, named and checked before
   its nodes are added. */
#include "engine/layers/model.h"
#include "engine/base/text.h"
#include "engine/ops/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const dv_layer *const composites[] = {
#define DV_LAYER(name) &dv__layer_##name,
#include "engine/layers/layers.def"
#undef DV_LAYER
};

enum { COMPOSITES = sizeof composites / sizeof composites[0] };
enum { KNOWN_SIZE = 700 }; /* names of all layers, for a message */

static const dv_layer *find_composite(const char *name)
{
    for (int i = 0; i < COMPOSITES; i++) {
        if (strcmp(composites[i]->name, name) == 0)
            return composites[i];
    }
    return NULL;
}

/* Whether an operation is a layer: it accepts one input, and no composite has its name. */
static bool is_layer(const dv_op *op)
{
    return op->inputs_min == 1 && !op->graph_only && find_composite(op->name) == NULL;
}

bool dv_layer_at(int index, dv_layer_info *info)
{
    if (index < COMPOSITES) {
        const dv_layer *layer = composites[index];
        *info = (dv_layer_info){layer->name, layer->help, layer->fields};
        return true;
    }
    index -= COMPOSITES;
    for (int id = 0; id < DV_OP_COUNT; id++) {
        const dv_op *op = dv_op_get((dv_op_id)id);
        if (is_layer(op) && index-- == 0) {
            *info = (dv_layer_info){op->name, op->help, op->fields};
            return true;
        }
    }
    return false;
}

static dv_status fail_unknown(const dv_tree *where, const char *kind)
{
    const char *names[COMPOSITES + DV_OP_COUNT];
    size_t count = 0;
    dv_layer_info info;
    while (dv_layer_at((int)count, &info))
        names[count++] = info.name;
    const char *nearest = dv_nearest(kind, names, count);
    if (nearest != NULL)
        return dv_tree_fail(where, "model: unknown layer '%s', did you mean '%s'?", kind, nearest);
    char known[KNOWN_SIZE] = "";
    for (size_t i = 0, used = 0; i < count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 names[i]);
    return dv_tree_fail(where, "model: unknown layer '%s'. Layers: %s", kind, known);
}

/* An entry of the list: its kind, its name, and its attributes without the name and with `classes`
   replaced by the number. */
typedef struct entry {
    const char *kind;
    char name[DV_NAME_SIZE];
    dv_tree *attributes; /* owned */
} entry;

static dv_status copy_attribute(const dv_tree *child, int64_t classes, dv_tree *into)
{
    dv_tree *copy;
    if (child->kind == DV_TREE_SCALAR && strcmp(child->text, "classes") == 0) {
        char number[32];
        snprintf(number, sizeof number, "%" PRId64, classes);
        DV_TRY(dv_tree_new_scalar(number, child->source, child->line, &copy));
    } else {
        DV_TRY(dv_tree_copy(child, &copy));
    }
    return dv_tree_append(into, child->key, copy);
}

/* Reads a layer's name, with which the names of its parameters begin. A '/' is refused, because in
   checkpoints it separates a training's buffer from a parameter's name. */
static dv_status read_name(const dv_tree *node, entry *out)
{
    if (node->kind != DV_TREE_SCALAR || node->text[0] == '\0' ||
        strlen(node->text) >= sizeof out->name)
        return dv_tree_fail(node, "model: a layer's name must be a text of 1 to %zu bytes",
                            sizeof out->name - 1);
    if (strchr(node->text, '/') != NULL || dv_has_control_character(node->text))
        return dv_tree_fail(node,
                            "model: a layer's name must have no '/' and no control character");
    strcpy(out->name, node->text);
    return DV_OK;
}

static dv_status read_attributes(const dv_tree *map, int64_t classes, entry *out)
{
    DV_TRY(dv_tree_new(DV_TREE_MAP, map->source, map->line, &out->attributes));
    for (size_t i = 0; i < map->count; i++) {
        const dv_tree *child = map->children[i];
        if (strcmp(child->key, "name") != 0) {
            DV_TRY(copy_attribute(child, classes, out->attributes));
            continue;
        }
        DV_TRY(read_name(child, out));
    }
    return DV_OK;
}

static dv_status read_entry(const dv_tree *item, int64_t classes, entry *out)
{
    if (item->kind == DV_TREE_SCALAR) { /* "- flatten" */
        out->kind = item->text;
        return dv_tree_new(DV_TREE_MAP, item->source, item->line, &out->attributes);
    }
    if (item->kind != DV_TREE_MAP || item->count != 1)
        return dv_tree_fail(item, "model: a layer is written `- kind: {...}`");
    const dv_tree *body = item->children[0];
    out->kind = body->key;
    if (body->kind == DV_TREE_NULL)
        return dv_tree_new(DV_TREE_MAP, body->source, body->line, &out->attributes);
    if (body->kind != DV_TREE_MAP)
        return dv_tree_fail(body, "model: %s: expected a map of attributes", out->kind);
    return read_attributes(body, classes, out);
}

/* The default name: the kind, and the number among layers of that kind. */
static void default_name(const dv_tree *layers, size_t index, entry *out)
{
    int number = 0;
    DV_ASSERT(out->kind != NULL);
    for (size_t i = 0; i <= index; i++) {
        const dv_tree *item = layers->children[i];
        const char *kind =
            item->kind == DV_TREE_MAP && item->count == 1 ? item->children[0]->key : item->text;
        number += kind != NULL && strcmp(kind, out->kind) == 0 ? 1 : 0;
    }
    snprintf(out->name, sizeof out->name, "%.100s_%d", out->kind, number);
}

/* Refuses a name twice. Parameters are found by name, so the two layers would share weights. */
static dv_status check_name(const dv_graph *graph, const entry *layer, const dv_tree *where)
{
    size_t length = strlen(layer->name);
    for (int i = 0; i < graph->count; i++) {
        const char *taken = graph->nodes[i].name;
        if (strncmp(taken, layer->name, length) == 0 &&
            (taken[length] == '\0' || taken[length] == '.'))
            return dv_tree_fail(where, "model: the name '%s' is taken: each layer needs its own",
                                layer->name);
    }
    return DV_OK;
}

/* Makes the layer's name "<prefix>.<name>". */
static dv_status add_prefix(const char *prefix, entry *layer)
{
    char name[DV_NAME_SIZE];
    DV_TRY(dv__layer_name(name, prefix, layer->name));
    strcpy(layer->name, name);
    return DV_OK;
}

static dv_status build_composite(dv_graph *graph, const dv_layer *composite, const char *prefix,
                                 const char *name, const void *attr, int64_t classes, int *value)
{
    if (composite->build_models != NULL)
        return composite->build_models(graph, prefix, name, attr, classes, value);
    return composite->build(graph, name, attr, value);
}

/* Finds the composite or the operation of the entry's kind, reads its attributes and adds its
   nodes. The message of a failure begins with the file and line of the entry. */
static dv_status build_layer(dv_graph *graph, const char *prefix, const entry *layer,
                             const dv_tree *where, int64_t classes, int *value)
{
    const dv_layer *composite = find_composite(layer->kind);
    const dv_op *op = composite == NULL ? dv_op_find(layer->kind) : NULL;
    if (composite == NULL && (op == NULL || !is_layer(op)))
        return fail_unknown(where, layer->kind);
    const dv_field *fields = composite != NULL ? composite->fields : op->fields;
    static const dv_field no_fields[] = {DV_END};
    void *attr;
    DV_TRY(dv_calloc(composite != NULL ? composite->attr_size : op->attr_size, 1, &attr));
    dv_status status =
        dv_fields_read(fields != NULL ? fields : no_fields, layer->attributes, layer->kind, attr);
    if (status == DV_OK) {
        status = composite != NULL
                     ? build_composite(graph, composite, prefix, layer->name, attr, classes, value)
                     : dv_graph_add(graph, op, layer->name, attr, value, 1, value);
        if (status != DV_OK && where->source != NULL)
            status = dv_fail_within(status, "%s:%d", where->source, where->line);
    }
    free(attr);
    return status;
}

/* Reads an entry, names it and builds its layer. `prefix` may be NULL. */
static dv_status build_item(dv_graph *graph, const char *prefix, const dv_tree *layers,
                            size_t index, int64_t classes, int *value)
{
    const dv_tree *item = layers->children[index];
    entry layer = {0};
    dv_status status = read_entry(item, classes, &layer);
    if (status == DV_OK) {
        if (layer.name[0] == '\0')
            default_name(layers, index, &layer);
        if (prefix != NULL)
            status = add_prefix(prefix, &layer);
    }
    if (status == DV_OK)
        status = check_name(graph, &layer, item);
    if (status == DV_OK)
        status = build_layer(graph, prefix, &layer, item, classes, value);
    dv_tree_free(layer.attributes);
    return status;
}

dv_status dv_model_build_member(dv_graph *graph, const char *prefix, const dv_tree *model,
                                int input, int64_t classes, int *logits)
{
    const dv_tree *layers = dv_tree_get(model, "layers");
    if (layers == NULL || layers->kind != DV_TREE_LIST || layers->count == 0)
        return dv_tree_fail(model, "model: `layers` must be a list of at least one layer");
    int value = input;
    for (size_t i = 0; i < layers->count; i++)
        DV_TRY(build_item(graph, prefix, layers, i, classes, &value));
    dv_shape shape = dv_graph_shape(graph, value);
    if (shape.h != 1 || shape.w != 1 || shape.c != classes)
        return dv_fail(DV_ESHAPE,
                       "model: the last layer '%s' gives %s, expected (%" PRId64 ", 1, 1, %" PRId64
                       ") for %" PRId64 " classes",
                       graph->nodes[value].name, dv_shape_format(shape).text, shape.n, classes,
                       classes);
    *logits = value;
    return DV_OK;
}

dv_status dv_model_build(dv_graph *graph, const dv_tree *model, int input, int64_t classes,
                         int *logits)
{
    return dv_model_build_member(graph, NULL, model, input, classes, logits);
}
