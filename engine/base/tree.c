/* Makes, searches, changes, merges, copies and frees the trees of configurations. */
#include "engine/base/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAIL_SIZE = 1024 };

dv_status dv_tree_new(dv_tree_kind kind, const char *source, int line, dv_tree **out)
{
    dv_tree *node;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *node, &node));
    node->kind = kind;
    node->line = line;
    dv_status status = source != NULL ? dv_strdup(source, &node->source) : DV_OK;
    if (status != DV_OK) {
        dv_tree_free(node);
        return status;
    }
    *out = node;
    return DV_OK;
}

dv_status dv_tree_new_scalar(const char *text, const char *source, int line, dv_tree **out)
{
    DV_TRY(dv_tree_new(DV_TREE_SCALAR, source, line, out));
    dv_status status = dv_strdup(text, &(*out)->text);
    if (status != DV_OK) {
        dv_tree_free(*out);
        *out = NULL;
    }
    return status;
}

void dv_tree_free(dv_tree *tree)
{
    if (tree == NULL)
        return;
    for (size_t i = 0; i < tree->count; i++)
        dv_tree_free(tree->children[i]);
    free(tree->children);
    free(tree->key);
    free(tree->text);
    free(tree->source);
    free(tree);
}

/* The index of `key` in `map`, or map->count. */
static size_t find(const dv_tree *map, const char *key)
{
    size_t i = 0;
    while (i < map->count && strcmp(map->children[i]->key, key) != 0)
        i++;
    return i;
}

/* Makes room for one more child. The capacity is the next power of two from `count` on. */
static dv_status reserve(dv_tree *parent)
{
    size_t count = parent->count;
    if ((count & (count - 1)) != 0)
        return DV_OK;
    size_t capacity = count > 0 ? 2 * count : 1;
    dv_tree **grown = realloc(parent->children, capacity * sizeof(dv_tree *));
    if (grown == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu children", capacity);
    parent->children = grown;
    return DV_OK;
}

/* Gives `child` a copy of `key`, or no key if that is NULL. */
static dv_status name_child(dv_tree *child, const char *key)
{
    free(child->key);
    child->key = NULL;
    return key != NULL ? dv_strdup(key, &child->key) : DV_OK;
}

static dv_status fail_duplicate(const dv_tree *first, const dv_tree *second)
{
    if (first->line > 0)
        return dv_tree_fail(second, "key '%s' is given twice, first in line %d", first->key,
                            first->line);
    return dv_tree_fail(second, "key '%s' is given twice", first->key);
}

dv_status dv_tree_append(dv_tree *parent, const char *key, dv_tree *child)
{
    DV_ASSERT(parent->kind == (key != NULL ? DV_TREE_MAP : DV_TREE_LIST));
    dv_status status;
    size_t present = key != NULL ? find(parent, key) : parent->count;
    if (present < parent->count) {
        status = fail_duplicate(parent->children[present], child);
        goto fail;
    }
    DV_TRY_GOTO(name_child(child, key));
    DV_TRY_GOTO(reserve(parent));
    parent->children[parent->count++] = child;
    return DV_OK;
fail:
    dv_tree_free(child);
    return status;
}

int64_t dv_tree_nodes(const dv_tree *tree)
{
    int64_t nodes = 1;
    for (size_t i = 0; i < tree->count; i++)
        nodes += dv_tree_nodes(tree->children[i]);
    return nodes;
}

static dv_tree *child_of(const dv_tree *map, const char *key)
{
    if (map == NULL || map->kind != DV_TREE_MAP)
        return NULL;
    size_t i = find(map, key);
    return i < map->count ? map->children[i] : NULL;
}

const dv_tree *dv_tree_get(const dv_tree *map, const char *key)
{
    return child_of(map, key);
}

dv_tree *dv_tree_find(dv_tree *map, const char *key)
{
    return child_of(map, key);
}

/* The same as dv_tree_append, but replaces an existing child. */
static dv_status put(dv_tree *map, const char *key, dv_tree *child)
{
    size_t i = find(map, key);
    if (i == map->count)
        return dv_tree_append(map, key, child);
    dv_status status = name_child(child, key);
    if (status != DV_OK) {
        dv_tree_free(child);
        return status;
    }
    dv_tree_free(map->children[i]);
    map->children[i] = child;
    return DV_OK;
}

/* The map below `map` with this key. It is made if it is missing or null. */
static dv_status descend(dv_tree *map, const char *key, const dv_tree *value, dv_tree **out)
{
    size_t i = find(map, key);
    if (i == map->count || map->children[i]->kind == DV_TREE_NULL) {
        dv_tree *made;
        DV_TRY(dv_tree_new(DV_TREE_MAP, value->source, value->line, &made));
        DV_TRY(put(map, key, made));
    } else if (map->children[i]->kind != DV_TREE_MAP) {
        return dv_tree_fail(value, "'%s' is not a map, so no key below it can be set", key);
    }
    *out = map->children[i];
    return DV_OK;
}

/* Splits the path at its dots, goes down from key to key, and sets the value at the last key. Each
   key is a level of the tree, so a path of DV_TREE_MAX_DEPTH keys is refused. */
dv_status dv_tree_set(dv_tree *map, const char *path, dv_tree *value)
{
    DV_ASSERT(map->kind == DV_TREE_MAP);
    dv_status status;
    char *keys = NULL;
    DV_TRY_GOTO(dv_strdup(path, &keys));
    char *key = keys;
    for (int depth = 1;; depth++) {
        char *dot = strchr(key, '.');
        if (dot != NULL)
            *dot = '\0';
        if (*key == '\0' || depth >= DV_TREE_MAX_DEPTH) {
            status =
                dv_tree_fail(value, "'%.80s' is %s", path,
                             *key == '\0' ? "no path: a key in it is empty" : "nested too deep");
            goto fail;
        }
        if (dot == NULL)
            break;
        DV_TRY_GOTO(descend(map, key, value, &map));
        key = dot + 1;
    }
    status = put(map, key, value);
    free(keys);
    return status;
fail:
    free(keys);
    dv_tree_free(value);
    return status;
}

dv_status dv_tree_merge(dv_tree *base, const dv_tree *over)
{
    DV_ASSERT(base->kind == DV_TREE_MAP && over->kind == DV_TREE_MAP);
    for (size_t i = 0; i < over->count; i++) {
        const dv_tree *child = over->children[i];
        size_t j = find(base, child->key);
        bool both_maps =
            j < base->count && base->children[j]->kind == DV_TREE_MAP && child->kind == DV_TREE_MAP;
        if (both_maps) {
            DV_TRY(dv_tree_merge(base->children[j], child));
        } else {
            dv_tree *copy;
            DV_TRY(dv_tree_copy(child, &copy));
            DV_TRY(put(base, child->key, copy));
        }
    }
    return DV_OK;
}

/* Copies the node with its key, text, source and line, then its children in order. A failure frees
   the copied part. */
dv_status dv_tree_copy(const dv_tree *tree, dv_tree **out)
{
    dv_status status;
    dv_tree *copy = NULL;
    *out = NULL;
    DV_TRY_GOTO(dv_tree_new(tree->kind, tree->source, tree->line, &copy));
    copy->quoted = tree->quoted;
    DV_TRY_GOTO(name_child(copy, tree->key));
    if (tree->text != NULL)
        DV_TRY_GOTO(dv_strdup(tree->text, &copy->text));
    for (size_t i = 0; i < tree->count; i++) {
        dv_tree *child;
        DV_TRY_GOTO(dv_tree_copy(tree->children[i], &child));
        DV_TRY_GOTO(dv_tree_append(copy, tree->children[i]->key, child));
    }
    *out = copy;
    return DV_OK;
fail:
    dv_tree_free(copy);
    return status;
}

bool dv_tree_is_null_text(const char *text)
{
    static const char *const forms[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(text, forms[i]) == 0)
            return true;
    return false;
}

dv_status dv_tree_fail(const dv_tree *where, const char *format, ...)
{
    char text[FAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *source = where != NULL ? where->source : NULL;
    int line = where != NULL ? where->line : 0;
    if (source != NULL && line > 0)
        return DV_FAIL(DV_ECONFIG, "%s:%d: %s", source, line, text);
    if (source != NULL)
        return DV_FAIL(DV_ECONFIG, "%s: %s", source, text);
    if (line > 0)
        return DV_FAIL(DV_ECONFIG, "line %d: %s", line, text);
    return DV_FAIL(DV_ECONFIG, "%s", text);
}
