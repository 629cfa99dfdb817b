/* Several models on one input, whose logits are mixed with learnable shares. A member's nodes and
   parameters are called "<model>.<name in the model>", so that they can be found in a checkpoint of
   that model alone. */
#include "engine/layers/model.h"
#include "engine/ops/ops.h"

#include <string.h>

typedef struct ensemble_attr {
    const dv_tree *models;
} ensemble_attr;

static const dv_field fields[] = {
    DV_TREE_FIELD(ensemble_attr, models,
                  "names of model files, or maps with name and layers (required)"),
    DV_END,
};

static dv_status check_member(const char *ensemble, const dv_tree *models, size_t index)
{
    const dv_tree *member = models->children[index];
    if (member->kind == DV_TREE_SCALAR)
        return DV_FAIL(DV_ECONFIG,
                       "ensemble '%s': the member '%s' is still a name: the content of its file "
                       "must stand in its place",
                       ensemble, member->text);
    const dv_tree *name = member->kind == DV_TREE_MAP ? dv_tree_get(member, "name") : NULL;
    if (name == NULL || name->kind != DV_TREE_SCALAR || name->text[0] == '\0')
        return DV_FAIL(DV_ECONFIG, "ensemble '%s': model %zu must be a map with name and layers",
                       ensemble, index + 1);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(dv_tree_get(models->children[i], "name")->text, name->text) == 0)
            return DV_FAIL(DV_ECONFIG, "ensemble '%s': two members have the name '%s'", ensemble,
                           name->text);
    }
    return DV_OK;
}

/* Builds a member up to its logits. Its nodes are called "<prefix>.<model>.<name>", or
   "<model>.<name>" without a prefix. */
static dv_status build_member(dv_graph *graph, const char *prefix, const dv_tree *member,
                              int64_t classes, int value, int *logits)
{
    const char *name = dv_tree_get(member, "name")->text;
    char joined[DV_NAME_SIZE];
    if (prefix != NULL)
        DV_TRY(dv__layer_name(joined, prefix, name));
    return dv_model_build_member(graph, prefix != NULL ? joined : name, member, value, classes,
                                 logits);
}

static dv_status build(dv_graph *graph, const char *prefix, const char *name, const void *attr,
                       int64_t classes, int *value)
{
    const dv_tree *models = ((const ensemble_attr *)attr)->models;
    if (models == NULL || models->kind != DV_TREE_LIST || models->count < 2 ||
        models->count > DV_MAX_INPUTS)
        return DV_FAIL(DV_ECONFIG, "ensemble '%s': `models` must be a list of 2 to %d models", name,
                       (int)DV_MAX_INPUTS);
    int logits[DV_MAX_INPUTS];
    for (size_t i = 0; i < models->count; i++) {
        DV_TRY(check_member(name, models, i));
        DV_TRY(build_member(graph, prefix, models->children[i], classes, *value, &logits[i]));
    }
    return dv_graph_add(graph, &dv_op_weighted_sum, name, NULL, logits, (int)models->count, value);
}

const dv_layer dv__layer_ensemble = {
    .name = "ensemble",
    .help = "models on one input, their logits mixed with learnable shares",
    .attr_size = sizeof(ensemble_attr),
    .fields = fields,
    .build_models = build,
};
