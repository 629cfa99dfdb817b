/* Trees and field tables: accepted values, refusals, and random texts. */
#include "engine/base/rng.h"
#include "tests/support/tree_helpers.h"

#include <float.h>
#include <math.h>

static const char *const optimizers[] = {"sgd", "adam", "adamw", "off", NULL};

typedef struct record {
    int64_t epochs;
    double rate;
    bool shuffle;
    int optimizer;
    char path[DV_STRING_SIZE];
    int64_t kernel[2];
    const dv_tree *layers;
} record;

static const dv_field fields[] = {
    DV_INT(record, epochs, DV_REQUIRED, 1, 1000, "passes"),
    DV_FLOAT(record, rate, "1e-3", 0, 10, "learning rate"),
    DV_BOOL(record, shuffle, "true", "new order in each epoch"),
    DV_ENUM(record, optimizer, "adamw", optimizers, "optimiser"),
    DV_STRING(record, path, "data", "folder"),
    DV_PAIR(record, kernel, "3,5", 1, 9, "kernel"),
    DV_TREE_FIELD(record, layers, "layers"),
    DV_END,
};

static uint32_t random_below(dv_rng *rng, uint32_t limit)
{
    uint32_t words[4];
    dv_rng_words(rng, 0, words);
    rng->step++;
    return words[0] % limit;
}

/* Makes random bytes, or random strings of YAML's own characters, which get further. */
static size_t random_text(dv_rng *rng, char *text, size_t size)
{
    static const char *const tokens[] = {
        "a",  "b",  "epochs", "rate", "path", "kernel", "layers", ": ",   ":",     "\n",  "\n  ",
        "- ", ", ", "[",      "]",    "{",    "}",      "'",      "\"",   "\\",    "#",   " ",
        "1",  "-2", "1e-3",   "null", "~",    "true",   "&a ",    "*a",   "!t ",   "? ",  "|\n ",
        ">",  "%",  "---\n",  "...",  "\t",   "\r\n",   "\xC3",   "\xA4", "\\x41", "0x1", "<<",
    };
    size_t length = 0;
    bool bytes = random_below(rng, 4) == 0;
    uint32_t pieces = random_below(rng, 40);
    for (uint32_t i = 0; i < pieces && length + 8 < size; i++) {
        if (bytes) {
            text[length++] = (char)random_below(rng, 256);
        } else {
            const char *token = tokens[random_below(rng, COUNT(tokens))];
            memcpy(text + length, token, strlen(token));
            length += strlen(token);
        }
    }
    return length;
}

static void test_random_text(void **state)
{
    (void)state;
    dv_rng rng = {.seed = 7, .use = DV_RNG_TEST, .step = 0};
    int accepted = 0;
    for (int i = 0; i < 8000; i++) {
        char text[512];
        dv_tree *tree;
        size_t size = random_text(&rng, text, sizeof text);
        dv_status status = dv_yaml_parse(text, size, "random", &tree);
        if (status == DV_OK) {
            record r;
            accepted++;
            assert_round_trip(tree);
            status = dv_fields_read(fields, tree, "random", &r);
            assert_true(status == DV_OK || status == DV_ECONFIG);
            dv_tree_free(tree);
        } else {
            assert_int_equal(status, DV_ECONFIG);
            assert_message("random");
        }
    }
    assert_in_range(accepted, 400, 7600); /* both sides must be tested */
}

static dv_tree *scalar(const char *text)
{
    dv_tree *tree;
    assert_int_equal(dv_tree_new_scalar(text, "--option", 0, &tree), DV_OK);
    return tree;
}

static void test_tree_set_and_merge(void **state)
{
    (void)state;
    dv_tree *base = parse("train: {epochs: 1, rate: 2}\nempty:\nlist: [1, 2]\n");
    dv_tree *over;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &over), DV_OK);
    assert_int_equal(dv_tree_set(over, "train.epochs", scalar("4")), DV_OK);
    assert_int_equal(dv_tree_set(over, "train.epochs", scalar("5")), DV_OK);
    assert_int_equal(dv_tree_set(over, "empty.a.b", scalar("x")), DV_OK);
    assert_int_equal(dv_tree_set(over, "list", scalar("3")), DV_OK);
    assert_int_equal(dv_tree_merge(base, over), DV_OK);
    dv_tree *expected = parse("train: {epochs: 5, rate: 2}\nempty: {a: {b: x}}\nlist: 3\n");
    assert_true(equal(base, expected));
    assert_string_equal(dv_tree_get(dv_tree_get(base, "train"), "epochs")->source, "--option");

    assert_int_equal(dv_tree_set(base, "list.a", scalar("1")), DV_ECONFIG);
    assert_message("--option: 'list' is not a map");
    assert_int_equal(dv_tree_set(base, "a..b", scalar("1")), DV_ECONFIG);
    assert_message("'a..b' is no path");
    assert_int_equal(dv_tree_set(base, "", scalar("1")), DV_ECONFIG);
    char deep[] = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
    assert_int_equal(dv_tree_set(over, deep, scalar("1")), DV_ECONFIG);
    assert_message("nested too deep");
    dv_tree_free(base);
    dv_tree_free(over);
    dv_tree_free(expected);
}

static void test_fields_read(void **state)
{
    (void)state;
    record r;
    dv_tree *tree = parse("epochs: 12\n");
    assert_int_equal(dv_fields_read(fields, tree, "train", &r), DV_OK);
    assert_int_equal(r.epochs, 12);
    assert_true(r.rate == 1e-3);
    assert_true(r.shuffle);
    assert_int_equal(r.optimizer, 2);
    assert_string_equal(r.path, "data");
    assert_int_equal(r.kernel[0], 3);
    assert_int_equal(r.kernel[1], 5);
    assert_null(r.layers);
    dv_tree_free(tree);

    tree = parse("epochs: +7\nrate: 3\nshuffle: Off\noptimizer: 'off'\npath: 12\nkernel: 7\n"
                 "layers: [a, b]\n");
    assert_int_equal(dv_fields_read(fields, tree, "train", &r), DV_OK);
    assert_int_equal(r.epochs, 7);
    assert_true(r.rate == 3);
    assert_false(r.shuffle);
    assert_int_equal(r.optimizer, 3);
    assert_string_equal(r.path, "12");
    assert_int_equal(r.kernel[0], 7);
    assert_int_equal(r.kernel[1], 7);
    assert_int_equal(r.layers->count, 2);
    dv_tree_free(tree);
}

static void test_fields_refuse(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"epochs: 1\nepoch: 2\n", "t.yaml:2: train: unknown key 'epoch', did you mean 'epochs'?"},
        {"epochs: 1\nopt: sgd\n", "unknown key 'opt', did you mean 'optimizer'?"},
        {"epochs: 1\nzzzzzzz: 2\n", "unknown key 'zzzzzzz'. Keys: epochs, rate, shuffle"},
        {"rate: 1\n", "t.yaml:1: train: epochs: is missing"},
        {"- 1\n", "t.yaml:1: train: expected a map of keys, got a list"},
        {"five\n", "train: expected a map of keys, got a single value"},
        {"epochs: five\n", "t.yaml:1: train: epochs: expected an integer, got 'five'"},
        {"epochs: '5'\n", "epochs: expected an integer, got the string '5'"},
        {"epochs: 5.0\n", "expected an integer, got '5.0'"},
        {"epochs: 1e3\n", "expected an integer, got '1e3'"},
        {"epochs: 0x10\n", "expected an integer, got '0x10'"},
        {"epochs: +\n", "expected an integer, got '+'"},
        {"epochs: [5]\n", "expected an integer, got a list"},
        {"epochs: {a: 5}\n", "expected an integer, got a map"},
        {"epochs:\n", "expected an integer, got nothing"},
        {"epochs: 0\n", "epochs: 0 is out of range (1 to 1000)"},
        {"epochs: 1001\n", "1001 is out of range (1 to 1000)"},
        {"epochs: 99999999999999999999\n", "is out of range (1 to 1000)"},
        {"epochs: 1\nrate: -0.5\n", "t.yaml:2: train: rate: -0.5 is out of range (0 to 10)"},
        {"epochs: 1\nrate: nan\n", "rate: expected a number, got 'nan'"},
        {"epochs: 1\nrate: .inf\n", "rate: expected a number, got '.inf'"},
        {"epochs: 1\nrate: 1e999\n", "rate: expected a number, got '1e999'"},
        {"epochs: 1\nrate: 0x1p3\n", "rate: expected a number"},
        {"epochs: 1\nrate: 1,5\n", "rate: expected a number, got '1,5'"},
        {"epochs: 1\nshuffle: 1\n", "shuffle: expected true or false, got '1'"},
        {"epochs: 1\nshuffle: 'true'\n", "expected true or false, got the string 'true'"},
        {"epochs: 1\noptimizer: adma\n",
         "optimizer: unknown value 'adma', did you mean 'adam'? Choices: sgd, adam, adamw, off"},
        {"epochs: 1\noptimizer: lion\n", "unknown value 'lion'. Choices: sgd, adam"},
        {"epochs: 1\noptimizer: [adam]\n", "optimizer: expected a word, got a list"},
        {"epochs: 1\npath: {a: b}\n", "path: expected a string, got a map"},
        {"epochs: 1\nkernel: [1, 2, 3]\n",
         "kernel: expected an integer or a list of two integers, got a "
         "list of 3"},
        {"epochs: 1\nkernel: [1, 12]\n", "kernel: 12 is out of range (1 to 9)"},
        {"epochs: 1\nkernel: [a, 1]\n", "kernel: expected an integer, got 'a'"},
        {"epochs: 1\nkernel: {a: 1}\n",
         "kernel: expected an integer or a list of two integers, got a map"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        record r;
        dv_tree *tree = parse(cases[i].text);
        if (dv_fields_read(fields, tree, "train", &r) != DV_ECONFIG)
            fail_msg("'%s' was not refused", cases[i].text);
        assert_message(cases[i].message);
        dv_tree_free(tree);
    }
}

static void test_fields_long_string(void **state)
{
    (void)state;
    char text[DV_STRING_SIZE + 64];
    record r;
    for (int length = DV_STRING_SIZE - 1; length <= DV_STRING_SIZE; length++) {
        snprintf(text, sizeof text, "epochs: 1\npath: %0*d\n", length, 0);
        dv_tree *tree = parse(text);
        dv_status expected = length < DV_STRING_SIZE ? DV_OK : DV_ECONFIG;
        assert_int_equal(dv_fields_read(fields, tree, "train", &r), expected);
        dv_tree_free(tree);
    }
    assert_message("path: the text has 512 bytes, and at most 511 fit");
}

static void test_fields_default(void **state)
{
    (void)state;
    record r;
    assert_int_equal(dv_fields_default(fields, &r), DV_ECONFIG);
    assert_message("epochs: is missing");
    assert_int_equal(dv_fields_default(fields + 1, &r), DV_OK);
    assert_true(r.rate == 1e-3);
    static const dv_field wrong[] = {DV_INT(record, epochs, "0", 1, 9, "default below the range"),
                                     DV_END};
    assert_int_equal(dv_fields_default(wrong, &r), DV_ECONFIG);
    assert_message("default: epochs: 0 is out of range (1 to 9)");
}

/* Asserts that a record has the same bytes after it is written as YAML and read again. */
static void assert_record_round_trip(const dv_field *table, const record *r)
{
    dv_tree *map, *again;
    char *text;
    record back;
    memset(&back, 0, sizeof back);
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &map), DV_OK);
    assert_int_equal(dv_fields_write(table, r, map), DV_OK);
    assert_int_equal(dv_yaml_write(map, &text), DV_OK);
    again = parse(text);
    if (dv_fields_read(table, again, "again", &back) != DV_OK)
        fail_msg("%s, in: %s", dv_error_message(), text);
    assert_memory_equal(r, &back, offsetof(record, layers));
    assert_true((r->layers == NULL) == (back.layers == NULL));
    if (r->layers != NULL)
        assert_true(equal(r->layers, back.layers));
    free(text);
    dv_tree_free(map);
    dv_tree_free(again);
}

static void test_fields_write(void **state)
{
    static const dv_field open[] = {
        DV_INT(record, epochs, "0", -INFINITY, INFINITY, ""),
        DV_FLOAT(record, rate, "0", -INFINITY, INFINITY, ""),
        DV_BOOL(record, shuffle, "false", ""),
        DV_ENUM(record, optimizer, "sgd", optimizers, ""),
        DV_STRING(record, path, "", ""),
        DV_PAIR(record, kernel, "3", -10, 10, ""),
        DV_TREE_FIELD(record, layers, ""),
        DV_END,
    };
    static const double numbers[] = {0,    -0.0,   0.1,     1e-5,    1.0 / 3, 3,
                                     1e22, 5e-324, DBL_MAX, DBL_MIN, -1e-300, 0.30000000000000004};
    static const char *const paths[] = {"",     "12",   "1e-3", "true", "No",     "~",
                                        "null", "a: b", "#x",   " x ",  "../x y", "\xC3\xA4'\"\n"};
    (void)state;
    dv_tree *layers = parse("- conv2d: {filters: 64, name: '64'}\n- pool:\n");
    for (size_t i = 0; i < COUNT(numbers); i++) {
        record r;
        memset(&r, 0, sizeof r);
        r.epochs = i % 2 == 0 ? INT64_MIN : INT64_MAX;
        r.rate = numbers[i];
        r.shuffle = i % 2 == 0;
        r.optimizer = (int)(i % 4);
        snprintf(r.path, sizeof r.path, "%s", paths[i]);
        r.kernel[0] = 3;
        r.kernel[1] = i % 3 == 0 ? 3 : -3;
        r.layers = i % 2 == 0 ? layers : NULL;
        assert_record_round_trip(open, &r);
    }
    dv_tree_free(layers);
}

static void test_fields_write_refuses(void **state)
{
    (void)state;
    dv_tree *map;
    record r;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &map), DV_OK);
    assert_int_equal(dv_fields_default(fields + 1, &r), DV_OK);
    r.epochs = 1;
    r.rate = (double)INFINITY;
    assert_int_equal(dv_fields_write(fields, &r, map), DV_EARG);
    assert_message("rate: inf");
    r.rate = 0;
    r.optimizer = 4;
    assert_int_equal(dv_fields_write(fields + 2, &r, map), DV_EARG);
    assert_message("optimizer: 4 is none of its 4 choices");
    dv_tree_free(map);
}

static void test_paths_are_shortened(void **state)
{
    static const dv_field paths[] = {
        DV_PATH(record, path, "", "folder"),
        DV_STRING(record, epochs, "", "no path"),
        DV_END,
    };
    static const char *const cases[][2] = {
        {"", ""},
        {"fsdd", "fsdd"},
        {"/home/ann/fsdd", "fsdd"},
        {"../data/fsdd//", "fsdd"},
        {"/", ""},
        {"a/b,c/d/,e", "b,d,e"},
        {"old.=runs/1/m.safetensors,runs/lr=2/n", "old.=m.safetensors,n"},
        {"runs/lr=0.1/", "lr=0.1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[128];
        snprintf(text, sizeof text, "{path: '%s', epochs: a/b}", cases[i][0]);
        dv_tree *map = parse(text);
        dv_fields_shorten_paths(paths, map);
        assert_string_equal(dv_tree_get(map, "path")->text, cases[i][1]);
        assert_string_equal(dv_tree_get(map, "epochs")->text, "a/b");
        dv_tree_free(map);
    }
    dv_fields_shorten_paths(paths, NULL);
}

static void test_numbers(void **state)
{
    static const char *const no_integers[] = {
        "", " 1", "1 ", "1.", "1e3", "0x1", "--1", "+-1", "nan", "1_0", "+", "9223372036854775808"};
    static const char *const no_floats[] = {"",      " 1",  "1 ", "nan", "inf", "0x1", "1e",
                                            "1e999", "1..", "1f", "e5",  ".",   "-",   "infinity"};
    (void)state;
    int64_t integer;
    double number;
    for (size_t i = 0; i < COUNT(no_integers); i++)
        if (dv_parse_int(no_integers[i], &integer))
            fail_msg("'%s' was taken for an integer", no_integers[i]);
    for (size_t i = 0; i < COUNT(no_floats); i++)
        if (dv_parse_float(no_floats[i], &number))
            fail_msg("'%s' was taken for a number", no_floats[i]);
    assert_true(dv_parse_int("-9223372036854775808", &integer) && integer == INT64_MIN);
    assert_true(dv_parse_float("-1.5E+2", &number) && number == -150);
    assert_true(dv_parse_float(".5", &number) && number == 0.5);
}

static void test_nearest(void **state)
{
    static const char *const names[] = {"batch_size", "epochs", "learning_rate"};
    char long_name[4096];
    (void)state;
    assert_string_equal(dv_nearest("batchsize", names, COUNT(names)), "batch_size");
    assert_string_equal(dv_nearest("epohcs", names, COUNT(names)), "epochs");
    assert_string_equal(dv_nearest("learning", names, COUNT(names)), "learning_rate");
    assert_null(dv_nearest("x", names, COUNT(names)));
    assert_null(dv_nearest("", names, COUNT(names)));
    assert_null(dv_nearest("momentum", names, COUNT(names)));
    assert_null(dv_nearest("epochs", names, 0));
    memset(long_name, 'e', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_null(dv_nearest(long_name, names, COUNT(names)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_tree_set_and_merge),
        cmocka_unit_test(test_fields_read),
        cmocka_unit_test(test_fields_refuse),
        cmocka_unit_test(test_fields_long_string),
        cmocka_unit_test(test_fields_default),
        cmocka_unit_test(test_fields_write),
        cmocka_unit_test(test_fields_write_refuses),
        cmocka_unit_test(test_paths_are_shortened),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
