/* Finds the first difference of two front-ends. */
#include "frontends/features/features.h"

#include <stdio.h>
#include <string.h>

static dv_status write_fields(const dv_features_config *config, dv_tree **out)
{
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, out));
    dv_status status = dv_fields_write(dv_features_fields, config, *out);
    if (status != DV_OK)
        dv_tree_free(*out);
    return status;
}

/* Copies the first field whose texts differ. */
static void find(const dv_tree *a, const dv_tree *b, const char *const *keys,
                 dv_features_difference *out)
{
    for (size_t i = 0; i < a->count; i++) {
        const dv_tree *x = a->children[i], *y = b->children[i];
        bool asked = keys == NULL;
        for (size_t k = 0; !asked && keys[k] != NULL; k++)
            asked = strcmp(keys[k], x->key) == 0;
        if (!asked || strcmp(x->text, y->text) == 0)
            continue;
        snprintf(out->key, sizeof out->key, "%s", x->key);
        snprintf(out->first, sizeof out->first, "%s", x->text);
        snprintf(out->second, sizeof out->second, "%s", y->text);
        return;
    }
}

dv_status dv_features_compare(const dv_features_config *first, const dv_features_config *second,
                              const char *const *keys, dv_features_difference *out)
{
    dv_tree *a, *b;
    *out = (dv_features_difference){.key = ""};
    DV_TRY(write_fields(first, &a));
    dv_status status = write_fields(second, &b);
    if (status == DV_OK) {
        find(a, b, keys, out);
        dv_tree_free(b);
    }
    dv_tree_free(a);
    return status;
}
