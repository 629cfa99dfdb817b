/* Helpers for tests of trees and configurations. */
#ifndef DV_TESTS_TREE_HELPERS_H
#define DV_TESTS_TREE_HELPERS_H

#include "engine/base/field.h"
#include "engine/base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void assert_message(const char *fragment)
{
    if (strstr(dv_error_message(), fragment) == NULL)
        fail_msg("'%s' is not in the message '%s'", fragment, dv_error_message());
}

static inline dv_tree *parse(const char *text)
{
    dv_tree *tree;
    if (dv_yaml_parse(text, strlen(text), "t.yaml", &tree) != DV_OK)
        fail_msg("'%s': %s", text, dv_error_message());
    return tree;
}

/* Compares two trees without the roots' keys. Quotes count if they change the meaning. */
static inline bool equal(const dv_tree *a, const dv_tree *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == DV_TREE_SCALAR) {
        double number;
        bool plain_differs = dv_parse_float(a->text, &number) || strcmp(a->text, "true") == 0;
        return strcmp(a->text, b->text) == 0 && (a->quoted == b->quoted || !plain_differs);
    }
    for (size_t i = 0; i < a->count; i++) {
        const dv_tree *left = a->children[i], *right = b->children[i];
        if (a->kind == DV_TREE_MAP && strcmp(left->key, right->key) != 0)
            return false;
        if (!equal(left, right))
            return false;
    }
    return true;
}

static inline void assert_round_trip(const dv_tree *tree)
{
    char *text;
    dv_tree *again;
    if (dv_yaml_write(tree, &text) != DV_OK)
        fail_msg("%s", dv_error_message());
    if (dv_yaml_parse(text, strlen(text), "again", &again) != DV_OK)
        fail_msg("%s, in: %s", dv_error_message(), text);
    if (!equal(tree, again))
        fail_msg("not the same when read again: %s", text);
    dv_tree_free(again);
    free(text);
}

#endif
