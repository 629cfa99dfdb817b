/* Reads a configuration file and merges it over the files that it is based on. */
#include "runner/experiment/based_file.h"
#include "engine/base/yaml.h"
#include "frontends/audio/file_content.h"
#include "runner/experiment/feature_presets.h"
#include "runner/experiment/home.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The deepest chain of `base` files, and the largest number of files in all. A file that two others
   name counts twice. */
enum { MOST_BASES = 8, MOST_FILES = 64, PATH_SIZE = 1024 };

/* The counts over all files of a configuration while it is read. */
typedef struct reading {
    int files;
    int64_t nodes; /* limited, because a larger configuration could not be written again */
} reading;

/* Builds the path of `name` relative to the folder of the file `path`. A name in configs/ that is
   not there is looked for among decavox's own files. */
static dv_status beside(const char *path, const char *name, char out[PATH_SIZE])
{
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL && name[0] != '/' ? (int)(slash - path) + 1 : 0;
    int length = snprintf(out, PATH_SIZE, "%.*s%s", folder, path, name);
    if (length < 0 || length >= PATH_SIZE)
        return DV_FAIL(DV_EARG, "the path '%.40s...' is too long", name);
    if (access(out, F_OK) != 0 && strncmp(name, "configs/", strlen("configs/")) == 0)
        dv_home_file(name, out, PATH_SIZE);
    return DV_OK;
}

static dv_status read_based(reading *all, const char *path, const dv_tree *name, int depth,
                            dv_tree **out);

/* Tells what a file is that cannot be read as YAML, if it is no configuration. */
static dv_status fail_foreign(const char *path)
{
    char phrase[DV_CONTENT_PHRASE_SIZE];
    dv_content_phrase(path, phrase);
    if (phrase[0] == '\0' || strcmp(phrase, "a configuration") == 0)
        return DV_ECONFIG;
    if (strcmp(phrase, "a text") == 0)
        return DV_FAIL(DV_ECONFIG, "%s; is this a configuration? Its name does not end in .yaml",
                       dv_error_message());
    return DV_FAIL(DV_ECONFIG, "%s: is %s, not a configuration", path, phrase);
}

/* Reads one file. `name` is the node of another file that names it, or NULL for the first file. */
static dv_status read_file(reading *all, const char *path, const dv_tree *name, dv_tree **out)
{
    if (all->files++ == MOST_FILES)
        return dv_tree_fail(name, "base: the configuration has more than %d files in all",
                            MOST_FILES);
    dv_status status = dv_yaml_read(path, out);
    if (status != DV_OK)
        return status == DV_ECONFIG ? fail_foreign(path) : dv_home_offer_config(path, status);
    status = dv_feature_preset_expand(path, *out);
    all->nodes += dv_tree_nodes(*out);
    if (status == DV_OK && all->nodes > DV_YAML_MAX_NODES)
        status = dv_tree_fail(name, "base: the files have more than %d values in all",
                              DV_YAML_MAX_NODES);
    if (status != DV_OK)
        dv_tree_free(*out);
    return status;
}

/* Merges the file that `name` in the file `path` names into *below, or puts it there if *below is
   NULL. */
static dv_status lay_over(reading *all, const char *path, const dv_tree *name, int depth,
                          dv_tree **below)
{
    char base_path[PATH_SIZE];
    dv_tree *base;
    if (name->kind != DV_TREE_SCALAR)
        return dv_tree_fail(name, "base: expected the name of a file, or a list of names");
    if (depth == MOST_BASES)
        return dv_tree_fail(
            name,
            "base: there are more than %d files on top of each other; does one begin with itself?",
            MOST_BASES);
    DV_TRY(beside(path, name->text, base_path));
    dv_status read = read_based(all, base_path, name, depth + 1, &base);
    if (read == DV_EIO)
        return dv_fail_within(read, "%s:%d: base", path, name->line);
    DV_TRY(read);
    if (base->kind == DV_TREE_MAP && *below == NULL) {
        *below = base;
        return DV_OK;
    }
    dv_status status =
        base->kind == DV_TREE_MAP
            ? dv_tree_merge(*below, base)
            : dv_tree_fail(name, "base: %s is no configuration: it has no sections", base_path);
    dv_tree_free(base);
    return status;
}

/* Reads the file and merges it over the files that its key `base` names; each of these overrides
   those before it. */
static dv_status read_based(reading *all, const char *path, const dv_tree *name, int depth,
                            dv_tree **out)
{
    dv_tree *own, *below = NULL;
    DV_TRY(read_file(all, path, name, &own));
    const dv_tree *base = dv_tree_get(own, "base");
    if (base == NULL) {
        *out = own;
        return DV_OK;
    }
    bool several = base->kind == DV_TREE_LIST && base->count > 0;
    dv_status status = several ? DV_OK : lay_over(all, path, base, depth, &below);
    for (size_t i = 0; several && status == DV_OK && i < base->count; i++)
        status = lay_over(all, path, base->children[i], depth, &below);
    if (status == DV_OK)
        status = dv_tree_merge(below, own);
    dv_tree_free(own);
    if (status != DV_OK)
        dv_tree_free(below);
    else
        *out = below;
    return status;
}

dv_status dv_based_file_read(const char *path, dv_tree **out)
{
    return read_based(&(reading){0}, path, NULL, 0, out);
}
