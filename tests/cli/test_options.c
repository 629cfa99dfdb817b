/* Command lines: options of a command, settings of the configuration, and the help for both. */
#include "runner/cli/help.h"
#include "runner/cli/options.h"
#include "tests/support/tree_helpers.h"

static const char *const formats[] = {"text", "json", NULL};

typedef struct record {
    int64_t runs;
    double limit;
    bool quiet;
    int format;
    char out[DV_STRING_SIZE];
    const dv_tree *exclude;
    int64_t batch_size;
} record;

static const dv_field fields[] = {
    DV_INT(record, runs, "1", 1, 100, "how often"),
    DV_FLOAT(record, limit, "0.5", -1, 1, "limit that ends the run"),
    DV_BOOL(record, quiet, "false", "say nothing"),
    DV_ENUM(record, format, "text", formats, "output format"),
    DV_STRING(record, out, DV_REQUIRED, "file to write"),
    DV_TREE_FIELD(record, exclude, "speaker to leave out"),
    DV_INT(record, batch_size, "32", 1, 4096, "clips at once"),
    DV_END,
};

static const dv_setting settings[] = {
    {"epochs", "train.epochs", NULL, "passes over the data"},
    {"feature_type", "features.type", NULL, "mfcc, mel or spectrogram"},
    {"mixed_precision", "train.mixed_precision", "true", "FP16 where it is safe"},
    {NULL, NULL, NULL, NULL},
};

static const dv_options train = {
    .command = "train",
    .operands = "CONFIG [CLIP]",
    .summary = "Trains a model.",
    .least = 1,
    .most = 2,
    .fields = fields,
    .settings = settings,
};

enum { MAX_ARGUMENTS = 32 };

/* Splits `line` at single blanks. '^' stands for a blank inside an argument. */
static dv_status parse_line(const dv_options *options, char *line, record *r, dv_arguments *out)
{
    char *argv[MAX_ARGUMENTS];
    int argc = 0;
    char *rest = NULL;
    for (char *p = strtok_r(line, " ", &rest); p != NULL; p = strtok_r(NULL, " ", &rest)) {
        for (char *c = p; *c != '\0'; c++)
            if (*c == '^')
                *c = ' ';
        assert_true(argc < MAX_ARGUMENTS);
        argv[argc++] = p;
    }
    return dv_options_parse(options, argc, argv, r, out);
}

static void test_own_options(void **state)
{
    (void)state;
    record r;
    dv_arguments arguments;
    char line[] = "a.yaml --runs 3 --runs=4 --limit -0.5 --quiet --format=json --out x=y "
                  "--exclude jackson --exclude=theo --batch-size 8 -- --clip";
    if (parse_line(&train, line, &r, &arguments) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_false(arguments.help);
    assert_int_equal(r.runs, 4);
    assert_true(r.limit == -0.5);
    assert_true(r.quiet);
    assert_int_equal(r.format, 1);
    assert_string_equal(r.out, "x=y");
    assert_int_equal(r.exclude->count, 2);
    assert_string_equal(r.exclude->children[0]->text, "jackson");
    assert_string_equal(r.exclude->children[1]->text, "theo");
    assert_int_equal(r.batch_size, 8);
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.operands[0], "a.yaml");
    assert_string_equal(arguments.operands[1], "--clip");
    assert_int_equal(arguments.overrides->count, 0);
    dv_arguments_free(&arguments);
}

static void test_defaults(void **state)
{
    (void)state;
    record r;
    dv_arguments arguments;
    char line[] = "- --quiet=false --batch_size=9 --out=";
    assert_int_equal(parse_line(&train, line, &r, &arguments), DV_OK);
    assert_int_equal(r.runs, 1);
    assert_false(r.quiet);
    assert_int_equal(r.batch_size, 9);
    assert_string_equal(r.out, "");
    assert_null(r.exclude);
    assert_string_equal(arguments.operands[0], "-");
    dv_arguments_free(&arguments);
}

static void test_settings(void **state)
{
    (void)state;
    record r;
    dv_arguments arguments;
    char line[] = "c --out x --epochs 3 --feature-type=mel --mixed_precision --set train.epochs=7 "
                  "--set data.exclude=[a,^'3'] --set data.path=a=b --set=data.none= "
                  "--set model.name=\"12\" --set train.on=false";
    if (parse_line(&train, line, &r, &arguments) != DV_OK)
        fail_msg("%s", dv_error_message());
    dv_tree *configuration = parse("train: {epochs: 1, rate: 2}\nmodel: {name: mini}\n");
    dv_tree *expected = parse("train: {epochs: 7, rate: 2, mixed_precision: true, on: false}\n"
                              "model: {name: \"12\"}\n"
                              "features: {type: mel}\n"
                              "data: {exclude: [a, '3'], path: a=b, none: ~}\n");
    assert_int_equal(dv_tree_merge(configuration, arguments.overrides), DV_OK);
    assert_true(equal(configuration, expected));
    dv_tree_free(configuration);
    dv_tree_free(expected);
    dv_arguments_free(&arguments);
}

/* Knows keys of one value, of two, and of a tree. */
static const dv_field *field_of(const char *path)
{
    static const dv_field of_paths[] = {
        DV_STRING(record, out, "", ""),
        DV_PAIR(record, exclude, "1", 1, 9, ""),
        DV_TREE_FIELD(record, exclude, ""),
        DV_END,
    };
    static const char *const paths[] = {"train.init_from", "augment.noise_snr", "train.weights"};
    for (size_t i = 0; i < COUNT(paths); i++)
        if (strcmp(path, paths[i]) == 0)
            return &of_paths[i];
    return NULL;
}

/* A key's own option works as --set does. For a key of one value the text is that value. */
static void test_lists(void **state)
{
    static const struct {
        const char *line, *configuration;
    } cases[] = {
        {"--weights [1,2]", "train: {weights: [1, 2]}"},
        {"--weights=[1,^2]", "train: {weights: [1, 2]}"},
        {"--weights {a:^1}", "train: {weights: {a: 1}}"},
        {"--weights balanced", "train: {weights: balanced}"},
        {"--weights null", "train: {weights: ~}"},
        {"--snr [5,35]", "augment: {noise_snr: [5, 35]}"},
        {"--snr 5", "augment: {noise_snr: 5}"},
        {"--model {layers:^[flatten]}", "model: {layers: [flatten]}"},
        {"--set train.weights=[1,2]", "train: {weights: [1, 2]}"},
        {"--set model.layers=[{flatten:^}]", "model: {layers: [{flatten: }]}"},
        {"--init_from {fold}/m", "train: {init_from: '{fold}/m'}"},
        {"--init_from [a]", "train: {init_from: '[a]'}"},
        {"--init_from=", "train: {init_from: ''}"},
        {"--set train.init_from={fold}/m", "train: {init_from: '{fold}/m'}"},
        {"--set train.init_from='a'", "train: {init_from: a}"},
    };
    static const dv_setting to_keys[] = {{"weights", "train.weights", NULL, ""},
                                         {"init_from", "train.init_from", NULL, ""},
                                         {"snr", "augment.noise_snr", NULL, ""},
                                         {"model", "model", NULL, ""},
                                         {NULL, NULL, NULL, NULL}};
    (void)state;
    const dv_options options = {
        .command = "train", .operands = "", .settings = to_keys, .field_of = field_of};
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_arguments arguments;
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        if (parse_line(&options, line, NULL, &arguments) != DV_OK)
            fail_msg("%s: %s", cases[i].line, dv_error_message());
        dv_tree *expected = parse(cases[i].configuration);
        if (!equal(arguments.overrides, expected))
            fail_msg("'%s' is not %s", cases[i].line, cases[i].configuration);
        dv_tree_free(expected);
        dv_arguments_free(&arguments);
    }
}

static void test_setting_is_named_by_a_later_failure(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"c --out x --epochs 0", "--epochs: train: runs: 0 is out of range (1 to 100)"},
        {"c --out x --set train.runs=ten", "--set train.runs: train: runs: expected an integer"},
        {"c --out x --set train.run=1", "--set train.run: train: unknown key 'run', did you mean"},
    };
    static const dv_field section[] = {DV_INT(record, runs, "1", 1, 100, ""), DV_END};
    static const dv_setting to_runs[] = {{"epochs", "train.runs", NULL, ""},
                                         {NULL, NULL, NULL, NULL}};
    (void)state;
    dv_options options = train;
    options.settings = to_runs;
    for (size_t i = 0; i < COUNT(cases); i++) {
        record r;
        dv_arguments arguments;
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(parse_line(&options, line, &r, &arguments), DV_OK);
        const dv_tree *map = dv_tree_get(arguments.overrides, "train");
        assert_int_equal(dv_fields_read(section, map, "train", &r), DV_ECONFIG);
        assert_message(cases[i].message);
        dv_arguments_free(&arguments);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"c --rums 3", "unknown option '--rums', did you mean '--runs'?"},
        {"c --batch-sise 3", "did you mean '--batch_size'?"},
        {"c --epoch 3", "unknown option '--epoch', did you mean '--epochs'?"},
        {"c --zzzzzz", "unknown option '--zzzzzz'"},
        {"c -x", "unknown option '-x'"},
        {"c --=3", "unknown option '--=3'"},
        {"c "
         "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "unknown option '--aaaa"},
        {"c --runs", "--runs: a value must follow"},
        {"c --runs --quiet", "--runs: a value must follow"},
        {"c --epochs", "--epochs: a value must follow"},
        {"c --set", "--set: a value must follow"},
        {"c --set train", "--set: expected key=value, got 'train'"},
        {"c --set =3", "--set: expected key=value, got '=3'"},
        {"c --set a..b=3", "--set a..b: 'a..b' is no path"},
        {"c --set a=[1", "--set a:2: not valid YAML: while parsing a flow sequence"},
        {"c --set a=1 --set a.b=2", "--set a.b: 'a' is not a map"},
        {"c --out x --runs 0", "--runs: 0 is out of range (1 to 100)"},
        {"c --out x --runs ten", "--runs: expected an integer, got 'ten'"},
        {"c --out x --quiet=maybe", "--quiet: expected true or false, got 'maybe'"},
        {"c --out x --format jsn", "--format: unknown value 'jsn', did you mean 'json'?"},
        {"c", "--out: is missing, and it has no default"},
        {"--out x", "CONFIG is missing: decavox train CONFIG [CLIP]"},
        {"a b c^d --out x", "unexpected argument 'c d'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        record r;
        dv_arguments arguments;
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        if (parse_line(&train, line, &r, &arguments) != DV_EARG)
            fail_msg("'%s' was not refused as an argument", cases[i].line);
        assert_message(cases[i].message);
        assert_null(arguments.overrides);
        assert_null(arguments.operands);
    }
}

static const dv_field with_letters[] = {
    DV_STRING(record, out, "", "file to write"),
    DV_BOOL(record, quiet, "false", "say nothing"),
    DV_END,
};

static void test_short_options(void **state)
{
    static const struct {
        const char *line, *out;
        bool quiet;
        dv_verbosity verbosity;
    } cases[] = {
        {"-o x", "x", false, DV_NORMAL},     {"-ox", "x", false, DV_NORMAL},
        {"-q -ox", "x", true, DV_NORMAL},    {"-qox", "x", true, DV_NORMAL},
        {"-qo x", "x", true, DV_NORMAL},     {"-v", "", false, DV_VERBOSE},
        {"-vqo -y", "-y", true, DV_VERBOSE},
    };
    (void)state;
    const dv_options options = {.command = "save", .operands = "", .fields = with_letters};
    for (size_t i = 0; i < COUNT(cases); i++) {
        record r;
        dv_arguments arguments;
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        if (parse_line(&options, line, &r, &arguments) != DV_OK)
            fail_msg("%s: %s", cases[i].line, dv_error_message());
        if (strcmp(r.out, cases[i].out) != 0 || r.quiet != cases[i].quiet ||
            arguments.verbosity != cases[i].verbosity)
            fail_msg("'%s' gives '%s' %d %d", cases[i].line, r.out, r.quiet, arguments.verbosity);
        dv_arguments_free(&arguments);
    }
}

/* Letters stand for options that the command has. */
static void test_refused_short_options(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"-x", "unknown option '-x' in '-x'"},   {"-qz", "unknown option '-z' in '-qz'"},
        {"-j 3", "unknown option '-j' in '-j'"}, {"-s a=1", "unknown option '-s' in '-s'"},
        {"-o", "-o: a value must follow"},       {"-o --quiet", "-o: a value must follow"},
        {"-qo", "-o: a value must follow"},
    };
    (void)state;
    const dv_options options = {.command = "save", .operands = "", .fields = with_letters};
    for (size_t i = 0; i < COUNT(cases); i++) {
        record r;
        dv_arguments arguments;
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(parse_line(&options, line, &r, &arguments), DV_EARG);
        assert_message(cases[i].message);
    }
}

/* The last one of --quiet and --verbose counts. */
static void test_verbosity(void **state)
{
    static const struct {
        const char *line;
        dv_verbosity verbosity;
    } cases[] = {{"", DV_NORMAL},
                 {"-q", DV_QUIET},
                 {"--verbose", DV_VERBOSE},
                 {"--quiet=false", DV_NORMAL},
                 {"-q --verbose", DV_VERBOSE},
                 {"-vq", DV_QUIET},
                 {"--quiet --quiet=false", DV_NORMAL},
                 {"--verbose --quiet=false", DV_VERBOSE}};
    (void)state;
    const dv_options options = {.command = "version", .operands = ""};
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_arguments arguments;
        char line[64];
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(parse_line(&options, line, NULL, &arguments), DV_OK);
        assert_int_equal(arguments.verbosity, cases[i].verbosity);
        dv_arguments_free(&arguments);
    }
}

static void test_command_without_tables(void **state)
{
    (void)state;
    dv_arguments arguments;
    const dv_options options = {.command = "version", .operands = "", .summary = "Tells it."};
    assert_int_equal(dv_options_parse(&options, 0, NULL, NULL, &arguments), DV_OK);
    dv_arguments_free(&arguments);
    char set[] = "--set a=1", operand[] = "x";
    assert_int_equal(parse_line(&options, set, NULL, &arguments), DV_EARG);
    assert_message("unknown option '--set'");
    assert_int_equal(parse_line(&options, operand, NULL, &arguments), DV_EARG);
    assert_message("unexpected argument 'x'");
}

static void assert_contains(const char *text, const char *fragment)
{
    if (strstr(text, fragment) == NULL)
        fail_msg("'%s' is not in:\n%s", fragment, text);
}

static void test_help(void **state)
{
    (void)state;
    record r;
    dv_arguments arguments;
    char line[] = "--runs 0 --help", line_short[] = "-h";
    assert_int_equal(parse_line(&train, line, &r, &arguments), DV_OK);
    assert_true(arguments.help);
    dv_arguments_free(&arguments);
    assert_int_equal(parse_line(&train, line_short, &r, &arguments), DV_OK);
    assert_true(arguments.help);
    dv_arguments_free(&arguments);

    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    dv_options_help(out, &train);
    fclose(out);
    assert_contains(text, "Usage: decavox train [options] CONFIG [CLIP]\n\nTrains a model.\n");
    assert_contains(text, "      --runs N            how often (1 to 100; default 1)\n");
    assert_contains(text, "  -q, --quiet             say nothing\n");
    assert_contains(text, "output format (text | json; default text)\n");
    assert_contains(text, "file to write (required)\n");
    assert_contains(text, "speaker to leave out (may be repeated)\n");
    assert_contains(text, "      --epochs VALUE      passes over the data (train.epochs)\n");
    assert_contains(text, "      --mixed_precision   FP16");
    assert_contains(text, "  -s, --set KEY=VALUE ");
    free(text);
}

/* Names and their meanings stand in two columns below the summary; a long meaning goes on in its
   own column. */
static void test_help_of_terms(void **state)
{
    (void)state;
    static const char *const terms[] = {"short", "long", NULL};
    static const char *const meanings[] = {
        "a few words", "words and words and words and words and words and words and words and "
                       "more of them"};
    dv_options of_terms = train;
    of_terms.terms = terms;
    of_terms.meanings = meanings;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    dv_options_help(out, &of_terms);
    fclose(out);
    assert_contains(text, "Trains a model.\n\n"
                          "  short       a few words\n"
                          "  long        words and words and words and words and words and words "
                          "and words\n"
                          "              and more of them\n"
                          "\nOptions:\n");
    free(text);
}

/* The reference of a section is itself a configuration that sets all defaults. */
static void test_section_help(void **state)
{
    static const dv_field more[] = {
        DV_INT(record, runs, "1", 1, 100, "how often"),
        DV_PAIR(record, exclude, "3,5", 1, 9, "kernel"),
        DV_STRING(record, out, "a b", "file"),
        DV_END,
    };
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    dv_fields_help(out, "train", fields);
    dv_fields_help(out, "more", more);
    fclose(out);
    assert_contains(text, "  runs: 1                        # how often (1 to 100)\n");
    assert_contains(text, "  format: text                   # output format (text | json)\n");
    assert_contains(text, "  # out:                         # file to write (required)\n");
    dv_tree *tree = parse(text);
    const dv_tree *section = dv_tree_get(tree, "train");
    assert_int_equal(section->count, 5);
    assert_string_equal(dv_tree_get(section, "limit")->text, "0.5");
    section = dv_tree_get(tree, "more");
    assert_int_equal(dv_tree_get(section, "exclude")->count, 2);
    dv_tree_free(tree);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_options),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_setting_is_named_by_a_later_failure),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_short_options),
        cmocka_unit_test(test_refused_short_options),
        cmocka_unit_test(test_verbosity),
        cmocka_unit_test(test_command_without_tables),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_of_terms),
        cmocka_unit_test(test_section_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
