/*
 * Reads YAML files into trees (engine/base/tree.h) with libyaml. A file is one document of maps
 * with scalar keys, lists and scalars. Duplicate keys, anchors and aliases, tags, several
 * documents, empty files, text that is not UTF-8, and files beyond the limits below are refused
 * with file and line. An unquoted empty scalar, "~" or "null" is DV_TREE_NULL.
 */
#ifndef DV_BASE_YAML_H
#define DV_BASE_YAML_H

#include "engine/base/tree.h"

enum {
    DV_YAML_MAX_SIZE = 1 << 20,  /* bytes; the depth is limited to DV_TREE_MAX_DEPTH */
    DV_YAML_MAX_NODES = 1 << 14, /* nodes without the keys */
};

/* Reads a file. The caller owns *out. Fails with DV_EIO if the file cannot be read, and with
   DV_ECONFIG if its content is refused. */
dv_status dv_yaml_read(const char *path, dv_tree **out);

/* The same for `size` bytes of text. Messages name `source_name` as the file. */
dv_status dv_yaml_parse(const char *text, size_t size, const char *source_name, dv_tree **out);

/* Writes a tree as YAML text, NUL-terminated and owned by the caller. Reading it gives an equal
   tree, except that `quoted` becomes true for a text that YAML cannot hold without quotes. Fails
   with DV_EARG for a text that is not UTF-8 (the message names its key, such as "data.path" or
   "[2].label", counted from 0) and for a tree beyond a limit (the message names the limit). */
dv_status dv_yaml_write(const dv_tree *tree, char **text);

#endif
