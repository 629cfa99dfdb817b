#include "frontends/model/model_file.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

static void store(const scratch *folder, const char *name, const char *text)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(folder, name, path);
    file_store(path, text, strlen(text));
}

static void store_members(const scratch *folder)
{
    scratch_clear(folder);
    store(folder, "a.yaml", "name: first\nlayers:\n  - flatten\n  - linear: {units: classes}\n");
    store(folder, "b.yaml", "layers: [flatten, linear: {units: classes}]\n");
}

static dv_tree *scalar(const char *text)
{
    dv_tree *tree;
    assert_int_equal(dv_tree_new_scalar(text, "t.yaml", 7, &tree), DV_OK);
    return tree;
}

/* Names of members are replaced by the contents of their files, with the names. Other members stay.
 */
static void test_members_are_replaced(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE];
    store_members(folder);
    store(folder, "both.yaml",
          "name: both\nlayers:\n"
          "  - ensemble: {models: [a, {name: c, layers: [flatten]}, b], name: mix}\n");
    scratch_path(folder, "both.yaml", path);
    dv_tree *model, *expected;
    if (dv_model_file_read(path, &model) != DV_OK)
        fail_msg("%s", dv_error_message());
    expected = parse("name: both\nlayers:\n"
                     "  - ensemble:\n"
                     "      models:\n"
                     "        - {name: a, layers: [flatten, linear: {units: classes}]}\n"
                     "        - {name: c, layers: [flatten]}\n"
                     "        - {layers: [flatten, linear: {units: classes}], name: b}\n"
                     "      name: mix\n");
    assert_true(equal(model, expected));

    /* A resolved model needs no file. */
    scratch_clear(folder);
    const char *const nowhere[] = {"/nowhere", NULL};
    assert_int_equal(dv_model_resolve(nowhere, model), DV_OK);
    assert_true(equal(model, expected));
    dv_tree_free(expected);
    dv_tree_free(model);
}

static void test_the_first_folder_counts(void **state)
{
    const scratch *folder = *state;
    store_members(folder);
    const char *const folders[] = {"/nowhere", folder->folder, "configs/models", NULL};
    static const struct {
        const char *name, *model;
    } cases[] = {{"a", "first"}, {"mini", "mini"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_tree *where = scalar(cases[i].name), *model;
        assert_int_equal(dv_model_file_find(folders, where, &model), DV_OK);
        assert_string_equal(dv_tree_get(model, "name")->text, cases[i].model);
        dv_tree_free(model);
        dv_tree_free(where);
    }
}

static void refuse_text(const scratch *folder, const char *text, const char *place,
                        const char *part)
{
    const char *const folders[] = {folder->folder, "/nowhere", NULL};
    dv_tree *model = parse(text);
    if (dv_model_resolve(folders, model) == DV_OK)
        fail_msg("'%s' was not refused", text);
    if (strncmp(dv_error_message(), place, strlen(place)) != 0)
        fail_msg("'%s' does not begin with '%s'", dv_error_message(), place);
    assert_message(part);
    dv_tree_free(model);
}

static void test_refusals(void **state)
{
    const scratch *folder = *state;
    store_members(folder);
    store(folder, "list.yaml", "[1, 2]\n");
    store(folder, "broken.yaml", "layers: [\n");
    store(folder, "nested.yaml", "layers:\n  - ensemble: {models: [a, b]}\n");
    refuse_text(folder, "layers:\n  - ensemble: {models: [a, z]}\n",
                "t.yaml:2: model: there is no model 'z'; there are a, b, ", "broken, list, nested");
    refuse_text(folder, "layers:\n  - ensemble: {models: [a, ../b]}\n",
                "t.yaml:2: ", "'../b' is a name, not a path");
    refuse_text(folder, "layers:\n  - flatten\n  - ensemble: {models: [a, nested]}\n",
                "t.yaml:3: ", "'nested' is an ensemble itself");
    refuse_text(folder, "layers:\n  - ensemble: {models: [list]}\n", folder->folder,
                "list.yaml:1: model: expected a map");
    refuse_text(folder, "layers:\n  - ensemble: {models: [broken]}\n", folder->folder,
                "broken.yaml");
    dv_tree *model;
    assert_int_equal(dv_model_file_read("/nowhere/m.yaml", &model), DV_EIO);
    assert_message("/nowhere/m.yaml");
}

/* Malformed models are left to the builder, which has better messages. */
static void test_the_rest_is_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "layers: 3\n",
        "name: m\n",
        "layers: [ensemble, ensemble: 3, ensemble: {models: a}, ensemble: {name: a}]\n",
        "layers: [{ensemble: {models: [[a]]}}, {ensemble: {models: []}}]\n",
    };
    const char *const folders[] = {"/nowhere", NULL};
    for (size_t i = 0; i < COUNT(texts); i++) {
        dv_tree *model = parse(texts[i]), *before = parse(texts[i]);
        assert_int_equal(dv_model_resolve(folders, model), DV_OK);
        assert_true(equal(model, before));
        dv_tree_free(before);
        dv_tree_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_replaced),
        cmocka_unit_test(test_the_first_folder_counts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_rest_is_left_alone),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
