/* Finds the preset of a front-end and overrides it with the section's own keys. */
#include "runner/experiment/feature_presets.h"
#include "engine/base/file_names.h"
#include "engine/base/yaml.h"
#include "runner/experiment/home.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Fails with the names of the presets that exist, or else with the places that were searched:
   `beside` the configuration, in the first `folder` characters of `path`, and in `places`. */
static dv_status fail_unknown(const dv_tree *where, const char *path, int folder,
                              const char *beside, const char *places)
{
    char offer[DV_FILE_NAMES_SIZE] = "", own[DV_HOME_PATH_SIZE];
    dv_file_names names = {.count = 0};
    snprintf(own, sizeof own, "%.*sfeatures", folder, path);
    dv_status status = dv_file_names_add(own, ".yaml", &names);
    if (status == DV_OK)
        status = dv_home_names("configs/features", ".yaml", &names);
    if (status == DV_OK)
        dv_file_names_offer(&names, where->text, offer);
    dv_file_names_free(&names);
    DV_TRY(status);
    if (offer[0] != '\0')
        return dv_tree_fail(where, "features: there is no preset '%.60s'%s", where->text, offer);
    return dv_tree_fail(where, "features: there is no preset '%.60s': neither %s nor %s",
                        where->text, beside, places);
}

/* Finds the file of the preset that `where` names. */
static dv_status find(const char *path, const dv_tree *where, char out[DV_HOME_PATH_SIZE])
{
    char name[DV_HOME_PATH_SIZE], beside[DV_HOME_PATH_SIZE];
    if (where->kind != DV_TREE_SCALAR || strchr(where->text, '/') != NULL ||
        dv_tree_is_null_text(where->text))
        return dv_tree_fail(where, "features: a preset must be a name, as in `features: fine`");
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    int length = snprintf(beside, sizeof beside, "%.*sfeatures/%s.yaml", folder, path, where->text);
    if (length < DV_HOME_PATH_SIZE && access(beside, R_OK) == 0) {
        strcpy(out, beside);
        return DV_OK;
    }
    length = snprintf(name, sizeof name, "configs/features/%s.yaml", where->text);
    if (length < DV_HOME_PATH_SIZE && dv_home_find(name, out, DV_HOME_PATH_SIZE))
        return DV_OK;
    return fail_unknown(where, path, folder, beside, out);
}

/* Refuses a preset that builds on another one. */
static dv_status check_preset(const dv_tree *preset)
{
    if (preset->kind != DV_TREE_MAP)
        return dv_tree_fail(preset,
                            "a preset of the features must have the keys of the section features");
    const char *const keys[] = {"preset", "base"};
    for (int i = 0; i < 2; i++) {
        if (dv_tree_get(preset, keys[i]) != NULL)
            return dv_tree_fail(
                dv_tree_get(preset, keys[i]),
                "a preset of the features cannot begin with another one: leave out the key %s",
                keys[i]);
    }
    return DV_OK;
}

/* Overrides the preset with the section's keys except `preset`. */
static dv_status lay_over(dv_tree *preset, const dv_tree *section)
{
    for (size_t i = 0; section->kind == DV_TREE_MAP && i < section->count; i++) {
        const dv_tree *child = section->children[i];
        dv_tree *copy;
        if (strcmp(child->key, "preset") == 0)
            continue;
        DV_TRY(dv_tree_copy(child, &copy));
        DV_TRY(dv_tree_set(preset, child->key, copy));
    }
    return DV_OK;
}

/* Replaces a section `features` that names a preset; any other one stays unchanged. */
dv_status dv_feature_preset_expand(const char *path, dv_tree *tree)
{
    char found[DV_HOME_PATH_SIZE];
    dv_tree *preset;
    const dv_tree *section = dv_tree_get(tree, "features"), *name = section;
    if (section != NULL && section->kind == DV_TREE_MAP)
        name = dv_tree_get(section, "preset");
    bool named = name != NULL && (name != section || name->kind == DV_TREE_SCALAR);
    if (!named)
        return DV_OK;
    DV_TRY(find(path, name, found));
    DV_TRY(dv_yaml_read(found, &preset));
    dv_status status = check_preset(preset);
    if (status == DV_OK)
        status = lay_over(preset, section);
    if (status != DV_OK) {
        dv_tree_free(preset);
        return status;
    }
    return dv_tree_set(tree, "features", preset);
}
