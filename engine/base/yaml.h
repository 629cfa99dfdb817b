/*
 * YAML files as trees (engine/base/tree.h), read with libyaml and with less freedom than YAML has:
 * one document of maps with scalar keys, lists and scalars. Refused by name and line: duplicate
 * keys, anchors and aliases, tags, several documents, nothing at all, what is not UTF-8, and more
 * than the limits below. An unquoted nothing, "~" or "null" is DV_TREE_NULL.
 */
#ifndef DV_BASE_YAML_H
#define DV_BASE_YAML_H

#include "engine/base/tree.h"

enum {
    DV_YAML_MAX_SIZE = 1 << 20,  /* bytes; the depth is limited to DV_TREE_MAX_DEPTH */
    DV_YAML_MAX_NODES = 1 << 14, /* keys not counted */
};

/* DV_EIO names a file that cannot be read, DV_ECONFIG what is wrong in it. *out owned by caller. */
dv_status dv_yaml_read(const char *path, dv_tree **out);

/* The same from `size` bytes of text; `source_name` stands for the file in messages. */
dv_status dv_yaml_parse(const char *text, size_t size, const char *source_name, dv_tree **out);

/* *text is NUL-terminated, owned by the caller, and read again makes an equal tree; `quoted` may
   turn true for text that YAML cannot hold without quotes. DV_EARG names the key of a text that is
   not UTF-8, as "data.path" or, in lists, "[2].label" with numbers from 0, or the limit that what
   is written is beyond. */
dv_status dv_yaml_write(const dv_tree *tree, char **text);

#endif
