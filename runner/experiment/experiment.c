/* Reads configurations: merges files, and reads the sections, the model and the pretraining. */
#include "runner/experiment/experiment.h"
#include "frontends/model/model_file.h"
#include "runner/experiment/based_file.h"
#include "runner/experiment/feature_presets.h"
#include "runner/experiment/home.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const dv_section dv_sections[] = {
    {"data", dv_data_fields, offsetof(dv_experiment, data)},
    {"features", dv_features_fields, offsetof(dv_experiment, features)},
    {"augment", dv_augment_fields, offsetof(dv_experiment, augment)},
    {"train", dv_train_fields, offsetof(dv_experiment, train)},
    {NULL, NULL, 0},
};

const dv_field dv_experiment_keys[] = {
    {DV_FIELD_TREE, "base", 0, "", 0, 0, NULL,
     "file, or list of files, beside this one from which it inherits every key that it does not "
     "set; later files win"},
    {DV_FIELD_TREE, "model", 0, "", 0, 0, NULL,
     "name of a file in configs/models, or a map: {name: TEXT, layers: [{LAYER: {...}}, ...]}"},
    {DV_FIELD_TREE, "pretrain", 0, "", 0, 0, NULL,
     "training that comes before this one: its own sections data, augment and train, laid over "
     "those of this configuration"},
    DV_END,
};

enum { PATH_SIZE = 1024 };

const dv_field *dv_experiment_field(const char *path)
{
    static const char before[] = "pretrain."; /* its sections have the same keys */
    if (strncmp(path, before, sizeof before - 1) == 0)
        path += sizeof before - 1;
    const char *dot = strchr(path, '.');
    size_t length = dot != NULL ? (size_t)(dot - path) : 0;
    for (const dv_section *section = dv_sections; dot != NULL && section->name != NULL; section++)
        if (strlen(section->name) == length && memcmp(section->name, path, length) == 0)
            return dv_fields_find(section->fields, dot + 1);
    return NULL;
}

/* ---- The model's file ---- */

/* The folders that are searched for models: beside the configuration, then decavox's own. */
typedef struct model_folders {
    char beside[PATH_SIZE];
    dv_home own;
    const char *list[DV_HOME_FOLDERS + 2]; /* ended by NULL */
} model_folders;

static dv_status find_folders(const char *config_path, model_folders *out)
{
    char copy[PATH_SIZE];
    int length = snprintf(copy, sizeof copy, "%s", config_path);
    if (length >= 0 && length < PATH_SIZE)
        length = snprintf(out->beside, sizeof out->beside, "%s/models", dirname(copy));
    if (length < 0 || length >= PATH_SIZE)
        return DV_FAIL(DV_EARG, "the path '%.40s...' is too long", config_path);
    dv_home_list("configs/models", &out->own);
    out->list[0] = out->beside;
    for (int i = 0; i < out->own.count; i++)
        out->list[1 + i] = out->own.folders[i];
    out->list[1 + out->own.count] = NULL;
    return DV_OK;
}

static dv_status copy_resolved(const char *const *folders, const dv_tree *model, dv_tree **out)
{
    DV_TRY(dv_tree_copy(model, out));
    dv_status status = dv_model_resolve(folders, *out);
    if (status != DV_OK)
        dv_tree_free(*out);
    return status;
}

/* Replaces `model: NAME` by the content of its file. The names of an ensemble's members are
   replaced likewise. */
static dv_status resolve_model(const char *config_path, dv_tree *tree)
{
    model_folders folders;
    dv_tree *content = NULL;
    const dv_tree *model = dv_tree_get(tree, "model");
    if (model == NULL)
        return dv_tree_fail(tree, "the section 'model' is missing: it names a model, as in `model: "
                                  "mini`, or lists its layers");
    DV_TRY(find_folders(config_path, &folders));
    if (model->kind == DV_TREE_SCALAR)
        DV_TRY(dv_model_file_find(folders.list, model, &content));
    else
        DV_TRY(copy_resolved(folders.list, model, &content));
    return dv_tree_set(tree, "model", content);
}

static dv_status check_model(const dv_tree *model)
{
    static const char *const keys[] = {"name", "layers"};
    if (model->kind != DV_TREE_MAP)
        return dv_tree_fail(model,
                            "model: expected a name, or a map with the keys name and layers");
    for (size_t i = 0; i < model->count; i++) {
        const char *key = model->children[i]->key;
        if (strcmp(key, keys[0]) == 0 || strcmp(key, keys[1]) == 0)
            continue;
        const char *nearest = dv_nearest(key, keys, 2);
        return dv_tree_fail(model->children[i], "model: unknown key '%s'%s%s%s", key,
                            nearest != NULL ? ", did you mean '" : "",
                            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    }
    return DV_OK;
}

/* ---- All sections ---- */

/* Fails with the section that has this key, or else with the nearest name of a section. */
static dv_status fail_unknown_section(const dv_tree *node, const char *const *names, size_t count)
{
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        if (dv_fields_find(section->fields, node->key) != NULL)
            return dv_tree_fail(node, "'%s' is a key of the section '%s', did you mean '%s.%s'?",
                                node->key, section->name, section->name, node->key);
    const char *nearest = dv_nearest(node->key, names, count);
    if (nearest != NULL)
        return dv_tree_fail(node, "unknown section '%s', did you mean '%s'?", node->key, nearest);
    return dv_tree_fail(node,
                        "unknown section '%s': there are data, features, augment, train, model, "
                        "pretrain and base",
                        node->key);
}

/* Refuses a section that is not known. */
static dv_status check_sections(const dv_tree *tree)
{
    const char *names[8];
    size_t count = 0;
    for (; dv_sections[count].name != NULL; count++)
        names[count] = dv_sections[count].name;
    for (const dv_field *key = dv_experiment_keys; key->kind != DV_FIELD_END; key++)
        names[count++] = key->key; /* `base` was applied when the file was read */
    if (tree->kind != DV_TREE_MAP)
        return dv_tree_fail(tree, "this is no configuration: expected the sections data, features, "
                                  "augment, model, train");
    for (size_t i = 0; i < tree->count; i++) {
        const char *key = tree->children[i]->key;
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known = known || strcmp(key, names[k]) == 0;
        if (!known)
            return fail_unknown_section(tree->children[i], names, count);
    }
    return DV_OK;
}

static dv_status read_section(const dv_tree *tree, const dv_section *section, dv_experiment *out)
{
    void *record = (char *)out + section->offset;
    DV_TRY(
        dv_fields_read(section->fields, dv_tree_get(tree, section->name), section->name, record));
    dv_tree *map;
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &map));
    dv_status status = dv_fields_write(section->fields, record, map);
    if (status != DV_OK) {
        dv_tree_free(map);
        return status;
    }
    DV_TRY(dv_tree_append(out->tree, section->name, map));
    /* Read again, so that the record borrows from the copy, which `out` owns. */
    return dv_fields_read(section->fields, map, section->name, record);
}

/* Checks the section `pretrain` and copies it as it is: its meaning depends on all other sections,
   so dv_experiment_pretraining resolves it. */
static dv_status read_pretrain(const dv_tree *tree, dv_experiment *out)
{
    static const char *const sections[] = {"data", "augment", "train"};
    const dv_tree *pretrain = dv_tree_get(tree, "pretrain");
    if (pretrain == NULL || pretrain->kind == DV_TREE_NULL)
        return DV_OK;
    if (pretrain->kind != DV_TREE_MAP)
        return dv_tree_fail(pretrain, "pretrain: expected the sections data, augment, train");
    for (size_t i = 0; i < pretrain->count; i++) {
        const dv_tree *section = pretrain->children[i];
        bool known = false;
        for (int k = 0; k < 3; k++)
            known = known || strcmp(section->key, sections[k]) == 0;
        if (!known)
            return dv_tree_fail(section,
                                "pretrain: unknown section '%s'; it may have data, "
                                "augment and train",
                                section->key);
    }
    dv_tree *copy;
    DV_TRY(dv_tree_copy(pretrain, &copy));
    DV_TRY(dv_tree_append(out->tree, "pretrain", copy));
    out->pretrain = dv_tree_get(out->tree, "pretrain");
    return DV_OK;
}

static dv_status read_sections(const dv_tree *tree, dv_experiment *out)
{
    DV_TRY(check_sections(tree));
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &out->tree));
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        DV_TRY(read_section(tree, section, out));
    return DV_OK;
}

dv_status dv_experiment_without_model(const dv_tree *settings, dv_experiment *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = read_sections(settings, out);
    if (status != DV_OK)
        dv_experiment_free(out);
    return status;
}

static dv_status read_all(const dv_tree *tree, dv_experiment *out)
{
    DV_TRY(read_sections(tree, out));
    const dv_tree *model = dv_tree_get(tree, "model");
    if (model == NULL)
        return dv_tree_fail(tree, "the section 'model' is missing: it names a model, as in `model: "
                                  "mini`, or lists its layers");
    DV_TRY(check_model(model));
    dv_tree *copy;
    DV_TRY(dv_tree_copy(model, &copy));
    DV_TRY(dv_tree_append(out->tree, "model", copy));
    out->model = dv_tree_get(out->tree, "model");
    return read_pretrain(tree, out);
}

dv_status dv_experiment_restore(const dv_tree *resolved, dv_experiment *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = read_all(resolved, out);
    if (status == DV_OK && out->pretrain != NULL) { /* reports its errors early */
        dv_experiment before;
        status = dv_experiment_pretraining(out, &before);
        if (status == DV_OK)
            dv_experiment_free(&before);
    }
    if (status != DV_OK)
        dv_experiment_free(out);
    return status;
}

static dv_status set_empty(dv_tree *tree, const char *key, dv_tree_kind kind)
{
    dv_tree *value;
    if (kind == DV_TREE_SCALAR)
        DV_TRY(dv_tree_new_scalar("", NULL, 0, &value));
    else
        DV_TRY(dv_tree_new(DV_TREE_NULL, NULL, 0, &value));
    return dv_tree_set(tree, key, value);
}

/* Overrides the resolved configuration `before` with `pretrain`. Pretraining, frozen layers and
   teachers are not inherited; data.exclude and data.more are not either if `pretrain` names other
   data. */
static dv_status lay_pretraining(dv_tree *before, const dv_tree *pretrain)
{
    DV_TRY(set_empty(before, "pretrain", DV_TREE_NULL));
    DV_TRY(set_empty(before, "train.freeze", DV_TREE_NULL));
    DV_TRY(set_empty(before, "train.teacher", DV_TREE_SCALAR));
    if (dv_tree_get(dv_tree_get(pretrain, "data"), "path") != NULL) {
        DV_TRY(set_empty(before, "data.exclude", DV_TREE_SCALAR));
        DV_TRY(set_empty(before, "data.more", DV_TREE_NULL));
    }
    return dv_tree_merge(before, pretrain);
}

dv_status dv_experiment_pretraining(const dv_experiment *experiment, dv_experiment *out)
{
    memset(out, 0, sizeof *out);
    dv_tree *before;
    DV_TRY(dv_tree_copy(experiment->tree, &before));
    dv_status status = lay_pretraining(before, experiment->pretrain);
    if (status == DV_OK)
        status = dv_experiment_restore(before, out);
    dv_tree_free(before);
    return status;
}

dv_status dv_experiment_set_files(dv_experiment *experiment, const char *key, const char *files)
{
    char path[64],
        *text = (char *)&experiment->train + dv_fields_find(dv_train_fields, key)->offset;
    dv_tree *value;
    snprintf(path, sizeof path, "train.%s", key);
    if (strlen(files) >= DV_STRING_SIZE)
        return DV_FAIL(DV_EARG, "%s is too long: %.60s...", path, files);
    DV_TRY(dv_tree_new_scalar(files, NULL, 0, &value));
    value->quoted = true; /* keeps a text that looks like a number a text */
    DV_TRY(dv_tree_set(experiment->tree, path, value));
    strcpy(text, files);
    return DV_OK;
}

static void shorten_paths_of(const dv_section *section, dv_tree *map)
{
    if (section->fields == dv_data_fields)
        dv_dataset_shorten_paths(map);
    else
        dv_fields_shorten_paths(section->fields, map);
}

void dv_experiment_shorten_paths(dv_tree *resolved)
{
    dv_tree *pretrain = dv_tree_find(resolved, "pretrain");
    if (pretrain != NULL)
        dv_experiment_shorten_paths(pretrain);
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        shorten_paths_of(section, dv_tree_find(resolved, section->name));
}

dv_status dv_experiment_copy_to_leave(const dv_tree *resolved, dv_tree **out)
{
    DV_TRY(dv_tree_copy(resolved, out));
    dv_experiment_shorten_paths(*out);
    return DV_OK;
}

/* ---- Files ---- */

/* Merges the settings of the command line into `tree`, after expanding their preset. */
static dv_status lay_overrides(const char *path, dv_tree *tree, const dv_tree *overrides)
{
    dv_tree *copy;
    if (tree->kind != DV_TREE_MAP || overrides == NULL)
        return DV_OK;
    if (dv_tree_get(overrides, "base") != NULL)
        return dv_tree_fail(
            dv_tree_get(overrides, "base"),
            "base: only a configuration file can have this key; here single keys are set");
    DV_TRY(dv_tree_copy(overrides, &copy));
    dv_status status = dv_feature_preset_expand(path, copy);
    if (status == DV_OK)
        status = dv_tree_merge(tree, copy);
    dv_tree_free(copy);
    return status;
}

/* Merges the files and the overrides, resolves model and features, and reads the sections of the
   result. */
dv_status dv_experiment_read(const char *path, const dv_tree *overrides, dv_experiment *out)
{
    memset(out, 0, sizeof *out);
    dv_tree *tree;
    DV_TRY(dv_based_file_read(path, &tree));
    dv_status status = lay_overrides(path, tree, overrides);
    if (status == DV_OK && tree->kind == DV_TREE_MAP)
        status = resolve_model(path, tree);
    dv_features_resolved resolved;
    if (status == DV_OK)
        status = dv_features_resolve(dv_tree_find(tree, "features"), &resolved);
    if (status == DV_OK)
        status = dv_experiment_restore(tree, out);
    if (status != DV_OK) {
        dv_tree_free(tree);
        return status;
    }
    out->resolved = resolved;
    out->files = tree;
    return DV_OK;
}

dv_look_config dv_experiment_look(const dv_experiment *experiment)
{
    return (dv_look_config){.sample_rate = experiment->features.sample_rate,
                            .duration = experiment->features.duration,
                            .max_seconds = experiment->data.max_seconds,
                            .batch_size = experiment->train.batch_size,
                            .accumulate = experiment->train.accumulate};
}

void dv_experiment_free(dv_experiment *experiment)
{
    dv_tree_free(experiment->files);
    dv_tree_free(experiment->tree);
    memset(experiment, 0, sizeof *experiment);
}

const char *dv_experiment_model_name(const dv_experiment *experiment)
{
    const dv_tree *name = dv_tree_get(experiment->model, "name");
    return name != NULL && name->kind == DV_TREE_SCALAR ? name->text : "model";
}
