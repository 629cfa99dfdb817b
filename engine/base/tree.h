/*
 * A tree of scalars, lists and maps: a configuration file before its meaning is known.
 * engine/base/yaml.c reads and writes it; field.h turns maps into structs.
 */
#ifndef DV_BASE_TREE_H
#define DV_BASE_TREE_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef enum dv_tree_kind { DV_TREE_NULL, DV_TREE_SCALAR, DV_TREE_LIST, DV_TREE_MAP } dv_tree_kind;

typedef struct dv_tree dv_tree;

enum { DV_TREE_MAX_DEPTH = 32 }; /* limit of the readers, because functions here recurse */

struct dv_tree {
    dv_tree_kind kind;
    char *key;          /* the key in a map; NULL elsewhere */
    char *text;         /* the text of a DV_TREE_SCALAR without quotes; NULL for other kinds */
    bool quoted;        /* a quoted scalar is a string even if it looks like a number */
    int line;           /* line in the file, from 1; 0 stands for another origin */
    char *source;       /* file or option for messages, owned; may be NULL */
    dv_tree **children; /* children of a DV_TREE_LIST or DV_TREE_MAP, owned, in order */
    size_t count;
};

/* Make a node without a key, owned by the caller. `source` (copied, may be NULL) and `line` tell
   its origin. */
dv_status dv_tree_new(dv_tree_kind kind, const char *source, int line, dv_tree **out);
dv_status dv_tree_new_scalar(const char *text, const char *source, int line, dv_tree **out);

/* Frees the node and all nodes below it; NULL is allowed. */
void dv_tree_free(dv_tree *tree);

/* Appends `child` and takes ownership of it; a failure frees it. `key` is copied, and must be NULL
   for lists. Fails with DV_ECONFIG for a duplicate key; the message names both lines. */
dv_status dv_tree_append(dv_tree *parent, const char *key, dv_tree *child);

/* The number of nodes: this one and all below it. */
int64_t dv_tree_nodes(const dv_tree *tree);

/* The child with this key, or NULL. `map` may be NULL. */
const dv_tree *dv_tree_get(const dv_tree *map, const char *key);

/* The same as a mutable node. Only a DV_TREE_MAP has keys. */
dv_tree *dv_tree_find(dv_tree *map, const char *key);

/* Sets `path` ("train.epochs") below a map to `value`, whose ownership passes, also on failure.
   Missing maps on the path are made, and an existing value is replaced. Fails with DV_ECONFIG for
   an empty key, a path through a scalar or a list, and a path deeper than DV_TREE_MAX_DEPTH. */
dv_status dv_tree_set(dv_tree *map, const char *path, dv_tree *value);

/* Merges the map `over` into the map `base`. Maps are merged key by key; any other value is
   replaced by a copy, which keeps its source and line. */
dv_status dv_tree_merge(dv_tree *base, const dv_tree *over);

/* A deep copy. */
dv_status dv_tree_copy(const dv_tree *tree, dv_tree **out);

/* Whether the unquoted text is a null of YAML: "", "~" or "null". */
bool dv_tree_is_null_text(const char *text);

/* Fails with DV_ECONFIG and "file:line: message". An unknown file or line is left out; `where` may
   be NULL. */
dv_status dv_tree_fail(const dv_tree *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
