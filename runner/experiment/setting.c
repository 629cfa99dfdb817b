/* Reads the values of settings: YAML, null, or a literal text. */
#include "runner/experiment/setting.h"
#include "engine/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE_SIZE = 128 };

static bool takes_one_value(dv_field_of field_of, const char *path)
{
    const dv_field *field = field_of != NULL ? field_of(path) : NULL;
    return field != NULL && field->kind != DV_FIELD_PAIR && field->kind != DV_FIELD_TREE;
}

/* Reads a value, as YAML if it begins with one of `marks`. */
static dv_status read_value(const char *text, const char *marks, const char *source, dv_tree **out)
{
    if (*text != '\0' && strchr(marks, *text) != NULL)
        return dv_yaml_parse(text, strlen(text), source, out);
    if (dv_tree_is_null_text(text))
        return dv_tree_new(DV_TREE_NULL, source, 0, out);
    return dv_tree_new_scalar(text, source, 0, out);
}

dv_status dv_setting_lay(const char *path, const char *value, dv_field_of field_of,
                         const char *source, dv_tree *overrides)
{
    dv_tree *node;
    if (takes_one_value(field_of, path))
        DV_TRY(dv_tree_new_scalar(value, source, 0, &node));
    else
        DV_TRY(read_value(value, "[{", source, &node));
    return dv_tree_set(overrides, path, node);
}

dv_status dv_setting_take(const char *text, dv_field_of field_of, const char *source,
                          dv_tree *overrides)
{
    char place[SOURCE_SIZE], *path;
    dv_tree *node;
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return DV_FAIL(DV_EARG, "%s: expected key=value, got '%.80s'", source, text);
    size_t length = (size_t)(equals - text);
    DV_TRY(dv_calloc(length + 1, 1, &path));
    memcpy(path, text, length);
    snprintf(place, sizeof place, "%s %s", source, path);
    const char *marks = takes_one_value(field_of, path) ? "\"'" : "[{\"'";
    dv_status status = read_value(equals + 1, marks, place, &node);
    if (status == DV_OK)
        status = dv_tree_set(overrides, path, node);
    free(path);
    return status;
}
