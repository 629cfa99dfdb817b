/* YAML: supported syntax, refusals, and that a written tree reads as the same. */
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

static void test_yaml_reads(void **state)
{
    (void)state;
    dv_tree *tree = parse("\xEF\xBB\xBF# comment\n"
                          "train:\n"
                          "  epochs: 12\n"
                          "  name: \"12\"\n"
                          "  note: two words\n"
                          "layers:\n"
                          "  - conv2d: {filters: 64, kernel: [3, 5]}\n"
                          "  - pool:\n"
                          "nothing: ~\n"
                          "empty: ''\n");
    const dv_tree *train = dv_tree_get(tree, "train");
    assert_int_equal(train->kind, DV_TREE_MAP);
    assert_int_equal(train->line, 2);
    assert_int_equal(train->count, 3);
    const dv_tree *epochs = dv_tree_get(train, "epochs");
    assert_string_equal(epochs->text, "12");
    assert_string_equal(epochs->source, "t.yaml");
    assert_int_equal(epochs->line, 3);
    assert_false(epochs->quoted);
    assert_true(dv_tree_get(train, "name")->quoted);
    assert_string_equal(dv_tree_get(train, "note")->text, "two words");
    const dv_tree *layers = dv_tree_get(tree, "layers");
    assert_int_equal(layers->kind, DV_TREE_LIST);
    assert_int_equal(layers->count, 2);
    const dv_tree *conv = dv_tree_get(layers->children[0], "conv2d");
    assert_string_equal(dv_tree_get(conv, "kernel")->children[1]->text, "5");
    assert_int_equal(dv_tree_get(layers->children[1], "pool")->kind, DV_TREE_NULL);
    assert_int_equal(dv_tree_get(tree, "nothing")->kind, DV_TREE_NULL);
    assert_int_equal(dv_tree_get(tree, "empty")->kind, DV_TREE_SCALAR);
    assert_null(dv_tree_get(tree, "missing"));
    assert_null(dv_tree_get(layers, "conv2d"));
    assert_null(dv_tree_get(NULL, "train"));
    dv_tree_free(tree);
}

static void test_yaml_refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "t.yaml:1: the text is empty; expected a map"},
        {"# only a comment\n", "the text is empty"},
        {"---\n", "the text is empty"},
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3: key 'a' is given twice, first in line 1"},
        {"m:\n  x: 1\n  x: 1\n", "t.yaml:3: key 'x' is given twice, first in line 2"},
        {"a: &one 1\nb: 2\n", "t.yaml:1: anchors and aliases ('one') are not allowed: write out"},
        {"a: 1\nb: *one\n", "t.yaml:2: anchors and aliases ('one')"},
        {"&loop [*loop]\n", "anchors and aliases ('loop')"},
        {"a: &loop {b: *loop}\n", "anchors and aliases ('loop')"},
        {"*one : 1\n", "anchors and aliases ('one')"},
        {"a: !!int 3\n", "t.yaml:1: tags ('tag:yaml.org,2002:int')"},
        {"a: !!python/object:os.system {}\n", "tags ("},
        {"a: 1\n---\nb: 2\n", "a second document"},
        {"a: 1\n? [x, y]\n: 2\n", "t.yaml:2: a key must be a single word"},
        {"? {x: y}\n: 2\n", "a key must be a single word"},
        {"a: 1\nb: \xFF\n", "t.yaml:2: not UTF-8"},
        {"a: \xC3\x28\n", "t.yaml:1: not UTF-8"},
        {"a: 1\n\n\nb: \x01\n", "t.yaml:4: not UTF-8"},
        {"a: \"x\\0y\"\n", "a text has a NUL character"},
        {"a: [1, 2\n", "t.yaml:2: not valid YAML: while parsing a flow sequence"},
        {"a:\n\t- 1\n", "t.yaml:2: a tab cannot indent in YAML: indent with spaces"},
        {"a:\n  \tb: 1\n", "t.yaml:2: a tab cannot indent"},
        {"a: \"b\tc\n", "t.yaml:"},
        {"a: b: c\n", "t.yaml:1: not valid YAML: no key can begin here; a text with a colon needs"},
        {"a: \"open\n", "t.yaml:"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_tree *tree;
        const char *text = cases[i].text;
        if (dv_yaml_parse(text, strlen(text), "t.yaml", &tree) != DV_ECONFIG)
            fail_msg("case %zu: '%s' was not refused", i, text);
        assert_null(tree);
        assert_message(cases[i].message);
    }
}

static void test_yaml_limits(void **state)
{
    (void)state;
    dv_tree *tree;
    size_t size = DV_YAML_MAX_SIZE + 1;
    char *text = malloc(size);
    assert_non_null(text);

    memset(text, ' ', size);
    text[0] = 'a';
    text[1] = ':';
    text[size - 2] = '1';
    text[size - 1] = '\n';
    assert_int_equal(dv_yaml_parse(text, size, "big", &tree), DV_ECONFIG);
    assert_message("big: has more than 1048576 bytes");
    text[size - 2] = '\n';
    text[size - 3] = '1';
    assert_int_equal(dv_yaml_parse(text, size - 1, "big", &tree), DV_OK);
    dv_tree_free(tree);

    memset(text, '[', size);
    assert_int_equal(dv_yaml_parse(text, size - 1, "deep", &tree), DV_ECONFIG);
    assert_message("deep:1: values are nested deeper than 32 levels");
    memset(text + DV_TREE_MAX_DEPTH, ']', DV_TREE_MAX_DEPTH);
    assert_int_equal(dv_yaml_parse(text, 2 * DV_TREE_MAX_DEPTH, "deep", &tree), DV_OK);
    assert_round_trip(tree);
    dv_tree *deeper;
    char *written;
    assert_int_equal(dv_tree_new(DV_TREE_LIST, NULL, 0, &deeper), DV_OK);
    assert_int_equal(dv_tree_append(deeper, NULL, tree), DV_OK);
    assert_int_equal(dv_yaml_write(deeper, &written), DV_EARG); /* too deep to be read again */
    dv_tree_free(deeper);

    for (size_t i = 0; i < size; i++)
        text[i] = i == 0 ? '[' : i % 2 == 1 ? 'a' : ',';
    assert_int_equal(dv_yaml_parse(text, size - 1, "many", &tree), DV_ECONFIG);
    assert_message("many:1: the text has more than 16384 values");
    free(text);
}

/* No text is written that could not be read. */
static void test_yaml_writes_within_the_limits(void **state)
{
    (void)state;
    dv_tree *list, *item, *back;
    char *text, *large;
    assert_int_equal(dv_tree_new(DV_TREE_LIST, NULL, 0, &list), DV_OK);
    for (int i = 1; i < DV_YAML_MAX_NODES; i++) {
        assert_int_equal(dv_tree_new_scalar("a", NULL, 0, &item), DV_OK);
        assert_int_equal(dv_tree_append(list, NULL, item), DV_OK);
    }
    assert_int_equal(dv_yaml_write(list, &text), DV_OK);
    assert_int_equal(dv_yaml_parse(text, strlen(text), "most", &back), DV_OK);
    assert_int_equal(back->count, DV_YAML_MAX_NODES - 1);
    dv_tree_free(back);
    free(text);
    assert_int_equal(dv_tree_new_scalar("a", NULL, 0, &item), DV_OK);
    assert_int_equal(dv_tree_append(list, NULL, item), DV_OK);
    assert_int_equal(dv_yaml_write(list, &text), DV_EARG);
    assert_message("16385 values, and the most are 16384");
    assert_null(text);
    dv_tree_free(list);

    large = calloc(DV_YAML_MAX_SIZE + 1, 1);
    assert_non_null(large);
    memset(large, 'a', DV_YAML_MAX_SIZE);
    assert_int_equal(dv_tree_new_scalar(large, NULL, 0, &item), DV_OK);
    assert_int_equal(dv_yaml_write(item, &text), DV_EARG);
    assert_message("bytes, and the most are 1048576");
    dv_tree_free(item);
    free(large);
}

/* Writes a file and reads it, for the error message. */
static dv_status read_file(const scratch *folder, const char *text, size_t size)
{
    char path[SCRATCH_PATH_SIZE];
    dv_tree *tree;
    scratch_path(folder, "config.yaml", path);
    file_store(path, text, size);
    dv_status status = dv_yaml_read(path, &tree);
    dv_tree_free(tree);
    return status;
}

static void test_yaml_files(void **state)
{
    const scratch *folder = *state;
    char named[SCRATCH_PATH_SIZE];
    dv_tree *tree;
    assert_int_equal(dv_yaml_read("no/such.yaml", &tree), DV_EIO);
    assert_null(tree);
    assert_message("no/such.yaml: cannot be opened: No such file");
    snprintf(named, sizeof named, "%s: ", folder->folder);
    assert_int_equal(dv_yaml_read(folder->folder, &tree), DV_EIO);
    assert_message(named);
    assert_int_equal(dv_yaml_read("/dev/zero", &tree), DV_EIO);
    assert_message("/dev/zero: is not a regular file");
    char *zeros = calloc(DV_YAML_MAX_SIZE + 1, 1);
    assert_non_null(zeros);
    assert_int_equal(read_file(folder, zeros, DV_YAML_MAX_SIZE + 1), DV_ECONFIG);
    assert_message(": has more than");
    free(zeros);
    assert_int_equal(read_file(folder, "a: 1\n", 5), DV_OK);
    assert_int_equal(read_file(folder, "", 0), DV_ECONFIG);
    assert_message("empty");
    assert_int_equal(read_file(folder, "a: \0\n", 5), DV_ECONFIG);
    assert_message(":1: ");
}

static void test_yaml_round_trip(void **state)
{
    static const char *const texts[] = {
        "a: 1\nb: \"1\"\nc: 'true'\nd: true\ne: \"\"\nf:\ng: ~\nh: 'null'\n",
        "model:\n  layers:\n    - conv2d: {filters: 64, kernel: [3, 5]}\n    - pool:\n    - x: {y: "
        "}\n",
        "- a\n- [b, ~, '~']\n- {}\n- []\n- {k: [{l: [1, {m: n}]}]}\n",
        "t: |\n  two\n  lines\n\n\nu: >-\n  folded\n  text\nv: \"tab\\t bell\\a \\U0001F600 "
        "\\x85\"\n",
        "a: 'it''s: # no'\n\"k: e y\": \" x \"\n'': 1\n'null': 2\nb: \xC3\xA4\xE2\x82\xAC\n",
        "plain\n",
        "a:\n  b\n\n  c\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        dv_tree *tree = parse(texts[i]);
        assert_round_trip(tree);
        dv_tree *copy;
        assert_int_equal(dv_tree_copy(tree, &copy), DV_OK);
        assert_true(equal(tree, copy));
        dv_tree_free(tree);
        assert_round_trip(copy);
        dv_tree_free(copy);
    }
}

static void test_yaml_style(void **state)
{
    (void)state;
    const char *text = "model:\n"
                       "  name: mini\n"
                       "  layers:\n"
                       "  - conv2d: {filters: 64, kernel: [3, 5], name: \"7\"}\n"
                       "  - global_avgpool:\n"
                       "  pads: [1, 2]\n";
    dv_tree *tree = parse(text);
    char *written;
    assert_int_equal(dv_yaml_write(tree, &written), DV_OK);
    assert_string_equal(written, text);
    free(written);
    dv_tree_free(tree);
}

static void test_yaml_writes_utf8_alone(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *part;
    } cases[] = {
        {"data.path", "caf\xE9", "data.path: the text 'caf\\xE9' is not UTF-8"},
        {"a", "\xC3", "a: the text '\\xC3'"},          /* cut off */
        {"a", "\xC0\xAF", "a: the text '\\xC0\\xAF'"}, /* '/' in an overlong form */
        {"a", "\xE0\x9F\xBF", "'\\xE0\\x9F\\xBF'"},    /* an overlong form of three bytes */
        {"a", "\xED\xA0\x80", "'\\xED\\xA0\\x80'"},    /* a surrogate */
        {"a", "\xF4\x90\x80\x80", "'\\xF4\\x90\\x80"}, /* U+110000 */
        {"a", "\xE2\x82o", "'\\xE2\\x82o'"},
        {"b\xFC"
         "c",
         "1", "the key 'b\\xFCc' is not UTF-8"},
        {"a", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xED\x9F\xBF", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_tree *map, *value;
        char *written;
        assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &map), DV_OK);
        assert_int_equal(dv_tree_new_scalar(cases[i].text, NULL, 0, &value), DV_OK);
        assert_int_equal(dv_tree_set(map, cases[i].path, value), DV_OK);
        if (cases[i].part == NULL) {
            assert_round_trip(map);
        } else {
            assert_int_equal(dv_yaml_write(map, &written), DV_EARG);
            assert_message("cannot write YAML: ");
            assert_message(cases[i].part);
        }
        dv_tree_free(map);
    }
    dv_tree *list = parse("[{label: one}, {label: two}]"), *bad;
    char *written;
    assert_int_equal(dv_tree_new_scalar("\xE9t\xE9", NULL, 0, &bad), DV_OK);
    assert_int_equal(dv_tree_set(list->children[1], "label", bad), DV_OK);
    assert_int_equal(dv_yaml_write(list, &written), DV_EARG);
    assert_message("[1].label: the text '\\xE9t\\xE9'");
    dv_tree_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_reads),  cmocka_unit_test(test_yaml_refuses),
        cmocka_unit_test(test_yaml_limits), cmocka_unit_test(test_yaml_writes_within_the_limits),
        cmocka_unit_test(test_yaml_files),  cmocka_unit_test(test_yaml_round_trip),
        cmocka_unit_test(test_yaml_style),  cmocka_unit_test(test_yaml_writes_utf8_alone),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
