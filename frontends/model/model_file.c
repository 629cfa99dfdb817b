/* Reads models from YAML files, and replaces the names of an ensemble's members by the members. */
#include "frontends/model/model_file.h"
#include "engine/base/file_names.h"
#include "engine/base/yaml.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, PLACES_SIZE = 2048, MOST_MEMBERS = 64 /* in a model */ };

/* Offers the models that there are, or else says where they were looked for. */
static dv_status fail_unknown(const char *const *folders, const dv_tree *where, const char *places)
{
    char offer[DV_FILE_NAMES_SIZE] = "";
    dv_file_names names = {.count = 0};
    dv_status status = DV_OK;
    for (size_t i = 0; folders[i] != NULL && status == DV_OK; i++)
        status = dv_file_names_add(folders[i], ".yaml", &names);
    if (status == DV_OK)
        dv_file_names_offer(&names, where->text, offer);
    dv_file_names_free(&names);
    DV_TRY(status);
    if (offer[0] != '\0')
        return dv_tree_fail(where, "model: there is no model '%s'%s", where->text, offer);
    return dv_tree_fail(where, "model: there is no model '%s': neither %s", where->text, places);
}

static dv_status find_path(const char *const *folders, const dv_tree *where, char path[PATH_SIZE])
{
    char places[PLACES_SIZE] = "";
    const char *name = where->text;
    if (strchr(name, '/') != NULL)
        return dv_tree_fail(where, "model: '%s' is a name, not a path", name);
    for (size_t i = 0; folders[i] != NULL; i++) {
        int length = snprintf(path, PATH_SIZE, "%s/%s.yaml", folders[i], name);
        if (length > 0 && length < PATH_SIZE && access(path, R_OK) == 0)
            return DV_OK;
        size_t used = strlen(places);
        snprintf(places + used, sizeof places - used, "%s%s/%s.yaml", i == 0 ? "" : " nor ",
                 folders[i], name);
    }
    return fail_unknown(folders, where, places);
}

/* The list `models` of an ensemble, or NULL if the layer is none. */
static dv_tree *members_of(const dv_tree *layer)
{
    if (layer->kind != DV_TREE_MAP || layer->count != 1 ||
        strcmp(layer->children[0]->key, "ensemble") != 0 || layer->children[0]->kind != DV_TREE_MAP)
        return NULL;
    const dv_tree *body = layer->children[0];
    for (size_t i = 0; i < body->count; i++) {
        if (strcmp(body->children[i]->key, "models") == 0 &&
            body->children[i]->kind == DV_TREE_LIST)
            return body->children[i];
    }
    return NULL;
}

static dv_status refuse_nested(const dv_tree *where, const dv_tree *member)
{
    const dv_tree *layers = dv_tree_get(member, "layers");
    for (size_t i = 0; layers != NULL && i < layers->count; i++) {
        if (members_of(layers->children[i]) != NULL)
            return dv_tree_fail(where, "model: '%s' is an ensemble itself and cannot be a member",
                                where->text);
    }
    return DV_OK;
}

/* Reads a member. Its name becomes the name by which the ensemble calls it. */
static dv_status read_member(const char *const *folders, const dv_tree *where, dv_tree **out)
{
    char path[PATH_SIZE];
    dv_tree *member, *name;
    DV_TRY(find_path(folders, where, path));
    DV_TRY(dv_yaml_read(path, &member));
    dv_status status = DV_OK;
    if (member->kind != DV_TREE_MAP)
        status = dv_tree_fail(member, "model: expected a map with name and layers");
    if (status == DV_OK)
        status = refuse_nested(where, member);
    if (status == DV_OK)
        status = dv_tree_new_scalar(where->text, where->source, where->line, &name);
    if (status == DV_OK)
        status = dv_tree_set(member, "name", name);
    if (status != DV_OK) {
        dv_tree_free(member);
        return status;
    }
    *out = member;
    return DV_OK;
}

/* Reads the members in place of their names. *read counts them. */
static dv_status resolve_members(const char *const *folders, dv_tree *members, int *read)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->children[i]->kind != DV_TREE_SCALAR)
            continue;
        dv_tree *member;
        if ((*read)++ == MOST_MEMBERS)
            return dv_tree_fail(members->children[i],
                                "model: the ensembles have more than %d members together",
                                MOST_MEMBERS);
        DV_TRY(read_member(folders, members->children[i], &member));
        dv_tree_free(members->children[i]);
        members->children[i] = member;
    }
    return DV_OK;
}

dv_status dv_model_resolve(const char *const *folders, dv_tree *model)
{
    const dv_tree *layers = dv_tree_get(model, "layers");
    if (layers == NULL || layers->kind != DV_TREE_LIST)
        return DV_OK;
    int read = 0;
    for (size_t i = 0; i < layers->count; i++) {
        dv_tree *members = members_of(layers->children[i]);
        if (members != NULL)
            DV_TRY(resolve_members(folders, members, &read));
    }
    return DV_OK;
}

static dv_status read_and_resolve(const char *const *folders, const char *path, dv_tree **out)
{
    dv_tree *model;
    DV_TRY(dv_yaml_read(path, &model));
    dv_status status = dv_model_resolve(folders, model);
    if (status != DV_OK) {
        dv_tree_free(model);
        return status;
    }
    *out = model;
    return DV_OK;
}

dv_status dv_model_file_find(const char *const *folders, const dv_tree *where, dv_tree **out)
{
    char path[PATH_SIZE];
    DV_TRY(find_path(folders, where, path));
    return read_and_resolve(folders, path, out);
}

dv_status dv_model_file_read(const char *path, dv_tree **out)
{
    char copy[PATH_SIZE];
    if (strlen(path) >= sizeof copy)
        return DV_FAIL(DV_EARG, "the path '%.40s...' is too long", path);
    strcpy(copy, path);
    const char *const folders[] = {dirname(copy), NULL};
    return read_and_resolve(folders, path, out);
}
