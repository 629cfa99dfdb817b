/* Shortens the values of path fields to the last names of their paths. */
#include "engine/base/field.h"

#include <string.h>

/* The last name of the path that ends at *end, without slashes after it. */
static const char *last_name(const char *path, const char **end)
{
    while (*end > path && (*end)[-1] == '/')
        --*end;
    const char *name = *end;
    while (name > path && name[-1] != '/')
        name--;
    return name;
}

/* Shortens the comma-separated paths of a text in place. A prefix "PREFIX=" stays. */
static void shorten(char *text)
{
    char *out = text;
    for (const char *item = text, *next; item != NULL; item = next) {
        const char *comma = strchr(item, ','), *end = comma != NULL ? comma : item + strlen(item);
        const char *slash = memchr(item, '/', (size_t)(end - item));
        const char *equals = memchr(item, '=', (size_t)((slash != NULL ? slash : end) - item));
        const char *path = equals != NULL ? equals + 1 : item;
        next = comma != NULL ? comma + 1 : NULL;
        const char *name = last_name(path, &end);
        memmove(out, item, (size_t)(path - item));
        out += path - item;
        memmove(out, name, (size_t)(end - name));
        out += end - name;
        *out++ = comma != NULL ? ',' : '\0';
    }
}

void dv_fields_shorten_paths(const dv_field *fields, dv_tree *map)
{
    bool is_map = map != NULL && map->kind == DV_TREE_MAP;
    for (size_t i = 0; is_map && i < map->count; i++) {
        dv_tree *node = map->children[i];
        const dv_field *field = dv_fields_find(fields, node->key);
        if (field != NULL && field->kind == DV_FIELD_PATH && node->kind == DV_TREE_SCALAR)
            shorten(node->text);
    }
}
