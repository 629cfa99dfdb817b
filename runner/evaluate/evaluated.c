/* Chooses the data of an evaluation, and warns if the model was trained on them. */
#include "runner/evaluate/evaluated.h"
#include "runner/experiment/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Whether the key `path` of a map is the same file as `path`. An exported model has only the last
   names of its paths, so a name without a folder is compared with the end of `path`. */
static bool names(const dv_tree *map, const char *path)
{
    const dv_tree *name = dv_tree_get(map, "path");
    if (name == NULL || name->kind != DV_TREE_SCALAR || name->text[0] == '\0')
        return false;
    size_t length = strlen(path), known = strlen(name->text);
    while (length > 0 && path[length - 1] == '/')
        length--;
    bool ends = length >= known && strncmp(path + length - known, name->text, known) == 0 &&
                (length == known || path[length - known - 1] == '/');
    return dv_same_file(path, name->text) || (strchr(name->text, '/') == NULL && ends);
}

static bool lists(const dv_tree *data, const char *path)
{
    const dv_tree *more = dv_tree_get(data, "more");
    for (size_t i = 0; more != NULL && more->kind == DV_TREE_LIST && i < more->count; i++) {
        if (names(more->children[i], path))
            return true;
    }
    return false;
}

bool dv_evaluated_is_own(const dv_evaluated *asked, const dv_tree *config)
{
    return names(dv_tree_get(config, "data"), asked->data);
}

/* The checkpoint's split belongs to data.path. Applied to the additional training data it would
   yield a test part that the training has used. */
void dv_evaluated_warn(const dv_evaluated *asked, const char *who, const dv_tree *config,
                       const dv_log *log)
{
    const dv_tree *before = dv_tree_get(dv_tree_get(config, "pretrain"), "data");
    const char *where = NULL;
    if (asked->data[0] == '\0' || asked->split[0] != '\0' || asked->part == DV_PART_TRAIN)
        return;
    if (lists(dv_tree_get(config, "data"), asked->data))
        where = "data.more";
    else if (names(before, asked->data))
        where = "pretrain.data";
    else if (lists(before, asked->data))
        where = "pretrain.data.more";
    if (where != NULL)
        dv_log_write(log, DV_LOG_WARNING,
                     "%s is, or has the name of, data that %s was trained on (%s): it may have "
                     "heard these clips; name the split by which some were kept for testing",
                     asked->data, who, where);
}

static dv_status check_present(const dv_evaluated *asked, const dv_data_config *data)
{
    struct stat info;
    if (asked->data[0] != '\0' || stat(data->path, &info) == 0)
        return DV_OK;
    return DV_FAIL(DV_EIO,
                   "%s, the data that the model was trained on, is not there: %s; the option data "
                   "(--data) names where they are now",
                   data->path, strerror(errno));
}

dv_status dv_evaluated_config(const dv_evaluated *asked, const dv_data_config *trained,
                              dv_data_config *out)
{
    *out = *trained;
    out->more = NULL;
    if (asked->data[0] != '\0') {
        strcpy(out->path, asked->data);
        out->exclude[0] = '\0';
    }
    if (asked->exclude[0] != '\0')
        strcpy(out->exclude, asked->exclude);
    if (asked->split[0] != '\0')
        strcpy(out->split, asked->split);
    else if (asked->part == DV_PART_COUNT) /* all parts together need no split */
        strcpy(out->split, "train");
    return check_present(asked, out);
}
