/* Reads YAML from a text and from a file, with the same result. The tree is written and must be the
   same when read again. */
#include "engine/base/yaml.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Compares trees except for line, source and quotes. */
static bool same(const dv_tree *a, const dv_tree *b)
{
    bool equal = a->kind == b->kind && a->count == b->count && same_text(a->key, b->key) &&
                 same_text(a->text, b->text);
    for (size_t i = 0; equal && i < a->count; i++)
        equal = same(a->children[i], b->children[i]);
    return equal;
}

static void write_again(const dv_tree *tree)
{
    dv_tree *again;
    char *text;
    if (dv_yaml_write(tree, &text) != DV_OK)
        return;
    fuzz_must(dv_yaml_parse(text, strlen(text), "written", &again));
    if (!same(tree, again))
        fuzz_must(DV_FAIL(DV_EFORMAT, "read again another tree:\n%s", text));
    free(text);
    dv_tree_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_tree *tree, *of_file;
    if (dv_yaml_parse((const char *)data, size, "input", &tree) != DV_OK)
        return 0;
    fuzz_must(dv_yaml_read(fuzz_file("a.yaml", data, size), &of_file));
    if (!same(tree, of_file))
        fuzz_must(DV_FAIL(DV_EFORMAT, "the file has another tree"));
    write_again(tree);
    dv_tree_free(of_file);
    dv_tree_free(tree);
    return 0;
}
