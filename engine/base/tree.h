/*
 * A tree of scalars, lists and maps: what a configuration file says, before anybody knows what it
 * means. engine/base/yaml.c reads and writes it; field.h turns maps into structs.
 */
#ifndef DV_BASE_TREE_H
#define DV_BASE_TREE_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef enum dv_tree_kind { DV_TREE_NULL, DV_TREE_SCALAR, DV_TREE_LIST, DV_TREE_MAP } dv_tree_kind;

typedef struct dv_tree dv_tree;

enum { DV_TREE_MAX_DEPTH = 32 }; /* what the readers allow; functions here recurse */

struct dv_tree {
    dv_tree_kind kind;
    char *key;          /* in a map: the key; else NULL */
    char *text;         /* DV_TREE_SCALAR: the text as written, unquoted; else NULL */
    bool quoted;        /* a quoted scalar: a string even where it looks like a number */
    int line;           /* 1-based line in the file; 0 where it came from elsewhere */
    char *source;       /* file or option for messages, owned; NULL where there is none */
    dv_tree **children; /* DV_TREE_LIST, DV_TREE_MAP: owned, in order */
    size_t count;
};

/* A new node without key; `source` (copied, may be NULL) and `line` say where it stands. *out owned
   by the caller. */
dv_status dv_tree_new(dv_tree_kind kind, const char *source, int line, dv_tree **out);
dv_status dv_tree_new_scalar(const char *text, const char *source, int line, dv_tree **out);

/* Frees the node and all below it; NULL is allowed. */
void dv_tree_free(dv_tree *tree);

/* Appends `child` (ownership passes, also on failure, when it is freed); `key` is copied and must
   be NULL for lists. A duplicate key is DV_ECONFIG and names both lines. */
dv_status dv_tree_append(dv_tree *parent, const char *key, dv_tree *child);

/* How many nodes there are, this one and all below it. */
int64_t dv_tree_nodes(const dv_tree *tree);

/* The child with this key, or NULL. `map` may be NULL. */
const dv_tree *dv_tree_get(const dv_tree *map, const char *key);

/* The same, to be changed. DV_TREE_MAP alone has any. */
dv_tree *dv_tree_find(dv_tree *map, const char *key);

/* Sets `path` ("train.epochs") below a map to `value` (ownership passes, also on failure);
   missing maps on the way are made, an existing value is replaced. DV_ECONFIG for an empty key,
   for a way through a scalar or a list, and below DV_TREE_MAX_DEPTH. */
dv_status dv_tree_set(dv_tree *map, const char *path, dv_tree *value);

/* Lays the map `over` on the map `base`: maps are merged key by key, everything else is replaced
   by a copy that keeps its source and line. */
dv_status dv_tree_merge(dv_tree *base, const dv_tree *over);

/* A deep copy. */
dv_status dv_tree_copy(const dv_tree *tree, dv_tree **out);

/* Whether YAML takes the unquoted text for null: nothing, "~" or "null". */
bool dv_tree_is_null_text(const char *text);

/* Fails with DV_ECONFIG and "file:line: message", less what is not known; `where` may be NULL. */
dv_status dv_tree_fail(const dv_tree *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
