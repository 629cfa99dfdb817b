/* Describes this build and a checkpoint as JSON, for decavox info. */
#include "runner/cli/info_json.h"
#include "engine/backends/module.h"
#include "engine/backends/open.h"
#include "engine/base/json.h"
#include "engine/core/graph.h"
#include "engine/device/threads.h"
#include "runner/cli/commit.h"
#include "runner/evaluate/report.h"

#include <string.h>

/* ---- Configurations ---- */

/* Gives an unquoted text the type that YAML gives it. */
static json_t *scalar_json(const dv_tree *tree)
{
    int64_t whole;
    double number;
    if (tree->quoted)
        return dv_text_json(tree->text);
    if (strcmp(tree->text, "true") == 0 || strcmp(tree->text, "false") == 0)
        return json_boolean(tree->text[0] == 't');
    if (dv_parse_int(tree->text, &whole))
        return json_integer((json_int_t)whole);
    return dv_parse_float(tree->text, &number) ? json_real(number) : dv_text_json(tree->text);
}

static json_t *tree_json(const dv_tree *tree)
{
    if (tree == NULL || tree->kind == DV_TREE_NULL)
        return json_null();
    if (tree->kind == DV_TREE_SCALAR)
        return scalar_json(tree);
    bool map = tree->kind == DV_TREE_MAP;
    json_t *json = map ? json_object() : json_array();
    for (size_t i = 0; i < tree->count; i++) {
        json_t *child = tree_json(tree->children[i]);
        if (map)
            json_object_set_new(json, tree->children[i]->key, child);
        else
            json_array_append_new(json, child);
    }
    return json;
}

/* ---- A checkpoint ---- */

static json_t *labels_json(const dv_model *model)
{
    json_t *labels = json_array();
    for (int64_t k = 0; k < dv_model_classes(model); k++)
        json_array_append_new(labels, json_string(dv_model_label(model, (size_t)k)));
    return labels;
}

static json_t *layers_json(const dv_graph *graph)
{
    json_t *layers = json_array();
    for (int i = 0; i < graph->count; i++) {
        const dv_node *node = &graph->nodes[i];
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:[I, I, I, I]}", "name", node->name, "op",
                                        node->op->name, "shape", (json_int_t)node->shape.n,
                                        (json_int_t)node->shape.h, (json_int_t)node->shape.w,
                                        (json_int_t)node->shape.c));
    }
    return layers;
}

json_t *dv_info_checkpoint_json(const dv_model *model, const char *path)
{
    const dv_checkpoint *checkpoint = dv_model_checkpoint(model);
    size_t count, rounded;
    dv_checkpoint_tensors(checkpoint, &count, &rounded);
    return json_pack(
        "{s:o, s:s, s:b, s:o, s:I, s:o, s:o}", "checkpoint", dv_text_json(path), "precision",
        rounded > 0 ? "fp16" : "fp32", "training", checkpoint->state != NULL, "labels",
        labels_json(model), "parameters", (json_int_t)dv_model_parameters(model), "layers",
        layers_json(dv_model_graph(model)), "configuration", tree_json(checkpoint->config));
}

/* ---- This build ---- */

static json_t *backend_json(const dv_backend *backend)
{
    char text[256];
    int count = 1;
    json_t *devices = json_array();
    for (int i = 0; backend->describe != NULL && i < count; i++) {
        if (backend->describe(i, text, sizeof text, &count) != DV_OK)
            break;
        json_array_append_new(devices, dv_text_json(text));
    }
    return json_pack("{s:s, s:s, s:o}", "name", backend->name, "version", backend->version(),
                     "devices", devices);
}

static json_t *module_json(const char *name)
{
    char path[4096];
    const dv_backend *backend;
    if (!dv_module_find(name, path, sizeof path))
        return json_pack("{s:s, s:s}", "name", name, "problem", "no module");
    if (dv_module_load(name, &backend) != DV_OK)
        return json_pack("{s:s, s:o}", "name", name, "problem", dv_text_json(dv_error_message()));
    return backend_json(backend);
}

json_t *dv_info_build_json(void)
{
    return json_pack("{s:s, s:s, s:[o, o, o, o], s:i}", "decavox", DV_VERSION, "commit",
                     dv_commit(), "backends", backend_json(&dv_backend_cpu),
                     backend_json(&dv_backend_ref), module_json("cuda"), module_json("cudasim"),
                     "physical_cores", dv_physical_cores());
}
