/* The rules of `decavox recommend` on invented measurements, and checksums of files. */
#include "engine/base/sha256.h"
#include "engine/train/metrics.h"
#include "runner/compare/recommendation.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

/* ---- SHA-256 by FIPS 180-4's examples, and every length around a block ---- */

static void test_sha256(void **state)
{
    (void)state;
    char digest[DV_SHA256_SIZE], text[1001];
    dv_sha256_bytes("", 0, digest);
    assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    dv_sha256_bytes("abc", 3, digest);
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"; /* 56 bytes */
    dv_sha256_bytes(two, strlen(two), digest);
    assert_string_equal(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(text, 'a', 1000);
    text[1000] = '\0';
    dv_sha256_bytes(text, 1000, digest);
    assert_string_equal(digest, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
    dv_sha256_bytes(text, 55, digest);
    assert_string_equal(digest, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    assert_int_equal(dv_sha256_file("no/such/file", digest), DV_EIO);
    assert_message("no/such/file");
}

/* ---- Models ---- */

static dv_model_figures make(const char *name, double p50_us, int64_t bytes, int64_t correct)
{
    dv_model_figures model = {.p50 = 1e-6 * p50_us,
                              .p99 = 2e-6 * p50_us,
                              .bytes = {bytes, bytes / 2},
                              .file = -1,
                              .parameters = bytes / 4,
                              .throughput = 1000,
                              .batch = 8,
                              .first_answer = 0.01,
                              .answer = {3e-6 * p50_us, 4e-6 * p50_us},
                              .peak_memory = 20000000,
                              .done = true};
    snprintf(model.name, sizeof model.name, "%s", name);
    snprintf(model.path, sizeof model.path, "configs/%s.yaml", name);
    if (correct >= 0) {
        model.accuracy = (dv_accuracy){.protocol = "gsc", .correct = correct, .count = 1000};
        dv_wilson_interval(correct, 1000, &model.accuracy.low, &model.accuracy.high);
        model.is_checkpoint = true;
    }
    return model;
}

/* Accuracies 97, 98.6, 99, unknown, 99.3 (ensemble), unknown (attention). */
enum { SMALL, MIDDLE, LARGE, TINY, MIX, FORMER, MODELS };

static void make_all(dv_model_figures models[MODELS])
{
    models[SMALL] = make("small", 50, 1000000, 970);
    models[MIDDLE] = make("middle", 100, 2000000, 986);
    models[LARGE] = make("large", 400, 10000000, 990);
    models[TINY] = make("tiny", 20, 100000, -1);
    models[MIX] = make("mix", 900, 20000000, 993);
    models[MIX].ensemble = true;
    models[MIX].attention = 4;
    models[FORMER] = make("former", 300, 4000000, -1);
    models[FORMER].attention = 4;
}

static const dv_limits any = {0, 0, 0};

static void assert_answer(const dv_model_figures *models, size_t count, dv_use_case use_case,
                          const dv_limits *limits, const char *best, const char *second)
{
    dv_recommendation answer;
    dv_recommend(models, count, use_case, limits, &answer);
    assert_non_null(answer.best);
    assert_string_equal(answer.best->name, best);
    assert_null(answer.nearest);
    if (second == NULL)
        assert_null(answer.second);
    else
        assert_string_equal(answer.second->name, second);
}

static void assert_none(const dv_model_figures *models, size_t count, dv_use_case use_case,
                        const dv_limits *limits, const char *nearest, const char *miss)
{
    dv_recommendation answer;
    dv_recommend(models, count, use_case, limits, &answer);
    assert_null(answer.best);
    assert_null(answer.second);
    assert_non_null(answer.nearest);
    assert_string_equal(answer.nearest->name, nearest);
    if (strstr(answer.miss, miss) == NULL)
        fail_msg("'%s' is not in '%s'", miss, answer.miss);
}

static void test_rules(void **state)
{
    (void)state;
    dv_model_figures models[MODELS];
    make_all(models);
    assert_answer(models, MODELS, DV_USE_ACCURACY, &any, "mix", "large");
    assert_answer(models, MODELS, DV_USE_SPEED, &any, "tiny", "small");
    /* The products of error rates (30.5, 14.5, 10.5, 7.5) / 1001 and times 50, 100, 400, 900 us are
       1.52, 1.45, 4.2, 6.7. */
    assert_answer(models, MODELS, DV_USE_BALANCED, &any, "middle", "small");
    /* Upper bounds are 97.9, 99.2 (986), 99.5 (990) and 99.6 (993). Large and mix reach 99.3. */
    assert_true(models[MIDDLE].accuracy.high < 0.993 && models[LARGE].accuracy.high > 0.993);
    assert_answer(models, MODELS, DV_USE_PRODUCTION, &any, "large", "mix");
    assert_answer(models, MODELS, DV_USE_RESEARCH, &any, "former", NULL);
    assert_answer(models, MODELS, DV_USE_ENSEMBLE, &any, "mix", NULL);
}

static void test_ties(void **state)
{
    (void)state;
    dv_model_figures models[] = {make("slow", 200, 1000, 990), make("fast", 100, 1000, 990)};
    assert_answer(models, 2, DV_USE_ACCURACY, &any, "fast", "slow");
    models[0].attention = models[1].attention = 1;
    assert_answer(models, 2, DV_USE_RESEARCH, &any, "fast", "slow");
    models[0].accuracy = models[1].accuracy = (dv_accuracy){.count = 0};
    models[0].parameters = 7000;
    assert_answer(models, 2, DV_USE_RESEARCH, &any, "slow", "fast");
    models[1].accuracy = (dv_accuracy){.protocol = "gsc", .correct = 1, .count = 2, .high = 1};
    assert_answer(models, 2, DV_USE_RESEARCH, &any, "fast", "slow"); /* known before unknown */
}

/* p99 decides, not the median. */
static void test_production_looks_at_the_slowest(void **state)
{
    (void)state;
    dv_model_figures models[] = {make("steady", 200, 1000, 990), make("jumpy", 100, 1000, 990)};
    models[1].p99 = 0.01;
    assert_answer(models, 2, DV_USE_PRODUCTION, &any, "steady", "jumpy");
    assert_answer(models, 2, DV_USE_SPEED, &any, "jumpy", "steady");
}

static void test_limits(void **state)
{
    (void)state;
    dv_model_figures models[MODELS];
    make_all(models);
    assert_answer(models, MODELS, DV_USE_ACCURACY, &(dv_limits){.latency = 0.0008}, "large",
                  "middle");
    assert_answer(models, MODELS, DV_USE_ACCURACY, &(dv_limits){.bytes = 2e6}, "middle", "small");
    assert_answer(models, MODELS, DV_USE_SPEED, &(dv_limits){.accuracy = 0.98}, "middle", "large");
    assert_answer(models, MODELS, DV_USE_BALANCED, &(dv_limits){.accuracy = 0.99}, "large", "mix");
    /* The bar is the best accuracy of those that meet the limits. */
    assert_answer(models, MODELS, DV_USE_PRODUCTION, &(dv_limits){.bytes = 5e6}, "middle", NULL);
    /* The size of a checkpoint is that of the file, not that of another precision. */
    models[LARGE].file = DV_CHECKPOINT_FP16;
    assert_answer(models, MODELS, DV_USE_ACCURACY, &(dv_limits){.bytes = 5e6}, "large", "middle");
}

static void test_limits_that_nothing_meets(void **state)
{
    (void)state;
    dv_model_figures models[MODELS];
    make_all(models);
    assert_none(models, MODELS, DV_USE_SPEED, &(dv_limits){.latency = 1e-5}, "tiny",
                "p99 40.0 us instead of at most 10.0 us");
    assert_none(models, MODELS, DV_USE_ACCURACY, &(dv_limits){.latency = 8e-5}, "small",
                "p99 100.0 us instead of at most 80.0 us");
    assert_none(models, MODELS, DV_USE_ACCURACY, &(dv_limits){.accuracy = 0.999}, "mix",
                "accuracy 99.30 % instead of at least 99.9 %");
    assert_none(models, MODELS, DV_USE_SPEED, &(dv_limits){.accuracy = 1}, "mix",
                "accuracy 99.30 % instead of at least 100 %");
    /* "small" misses the size by a factor of 10 and "mix" by 200, but "mix" is nearer in errors. */
    dv_limits both = {.bytes = 1e5, .accuracy = 0.99};
    assert_none(models, MODELS, DV_USE_BALANCED, &both, "small",
                "accuracy 97.00 % instead of at least 99 %; 1.000 MB instead of at most 0.100 MB");
    assert_none(models, MODELS, DV_USE_RESEARCH, &(dv_limits){.bytes = 1e6}, "former",
                "4.000 MB instead of at most 1.000 MB");
    assert_none(models, MODELS, DV_USE_RESEARCH, &(dv_limits){.accuracy = 0.5}, "former",
                "no accuracy is known by gsc");
}

static void test_what_is_not_known_is_not_recommended_for_accuracy(void **state)
{
    (void)state;
    dv_model_figures models[MODELS];
    make_all(models);
    for (int i = 0; i < MODELS; i++)
        models[i].accuracy = (dv_accuracy){.count = 0};
    static const dv_use_case cases[] = {DV_USE_ACCURACY, DV_USE_BALANCED, DV_USE_PRODUCTION};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_none(models, MODELS, cases[i], &any, "small", "no accuracy is known");
    assert_none(models, MODELS, DV_USE_ENSEMBLE, &any, "mix", "no accuracy is known");
    assert_answer(models, MODELS, DV_USE_SPEED, &any, "tiny", "small");

    make_all(models);
    assert_none(models, MIX, DV_USE_ENSEMBLE, &any, "small", "it is no ensemble");
    assert_none(models, MIX, DV_USE_RESEARCH, &any, "small", "no single model with attention");
}

/* Accuracies by different protocols are not compared. */
static void test_protocols(void **state)
{
    (void)state;
    dv_model_figures models[] = {make("other", 10, 1000, 999), make("first", 20, 1000, 970),
                                 make("second", 30, 1000, 980)};
    strcpy(models[0].accuracy.protocol, "official");
    dv_recommendation answer;
    dv_recommend(models, 3, DV_USE_ACCURACY, &any, &answer);
    assert_string_equal(answer.protocol, "gsc");
    assert_string_equal(answer.best->name, "second");
    assert_string_equal(answer.second->name, "first");
    dv_recommend(models, 2, DV_USE_ACCURACY, &any, &answer);
    assert_string_equal(answer.protocol, "official");
    assert_string_equal(answer.best->name, "other");
    assert_null(answer.second);
}

static void test_error_rate(void **state)
{
    (void)state;
    dv_accuracy few = {.correct = 10, .count = 10}, many = {.correct = 998, .count = 1000};
    assert_true(fabs(dv_error_rate(&few) - 0.5 / 11) < 1e-12);
    assert_true(dv_error_rate(&many) < dv_error_rate(&few)); /* ten clips prove little */
}

/* ---- Printing ---- */

static char *printed(const dv_model_figures *models, dv_use_case use_case, const dv_limits *limits)
{
    char *text = NULL;
    size_t size = 0;
    dv_comparison_options options = {.device = "cpu"};
    dv_comparison all = {.options = &options, .threads = 2, .count = MODELS, .machine = "abacus"};
    dv_model_figures copies[MODELS];
    memcpy(copies, models, sizeof copies);
    all.models = copies;
    dv_recommendation answer;
    dv_recommend(copies, MODELS, use_case, limits, &answer);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    dv_recommendation_text(&all, use_case, limits, &answer, out);
    fclose(out);
    return text;
}

static void assert_prints(const dv_model_figures *models, dv_use_case use_case,
                          const dv_limits *limits, const char *const *parts)
{
    char *text = printed(models, use_case, limits);
    for (; *parts != NULL; parts++) {
        if (strstr(text, *parts) == NULL)
            fail_msg("'%s' is not in:\n%s", *parts, text);
    }
    free(text);
}

static void test_text(void **state)
{
    (void)state;
    dv_model_figures models[MODELS];
    make_all(models);
    strcpy(models[MIDDLE].command, "decavox train middle");
    assert_prints(
        models, DV_USE_BALANCED, &any,
        (const char *[]){"balanced: middle (configs/middle.yaml)\n",
                         "error rate 1.45 % x p50 100.0 us = 1.45 us; the next, small: "
                         "error rate 3.05 % x p50 50.0 us = 1.52 us\n",
                         "98.60 % (95 % interval 97.66 to 99.16), 986 of 1000 clips by gsc",
                         "runner-up  small (configs/small.yaml): p50 x 0.5, p99 x 0.5, "
                         "size x 0.5, memory x 1, accuracy -1.60 points (the intervals "
                         "overlap: 1000 clips do not tell them apart)\n",
                         "train      decavox train middle\n",
                         "use        decavox predict configs/middle.yaml FILE...\n",
                         "cpu, 2 threads: abacus\n", NULL});
    dv_model_figures apart[MODELS];
    make_all(apart);
    apart[MIDDLE].accuracy = apart[MIX].accuracy = (dv_accuracy){.count = 0};
    assert_prints(apart, DV_USE_ACCURACY, &any,
                  (const char *[]){"accuracy 99.00 %; the next, small: accuracy 97.00 %\n",
                                   "accuracy -2.00 points\n", NULL});
    assert_prints(models, DV_USE_SPEED, &any,
                  (const char *[]){"speed: tiny", "not known by gsc: the model has to be trained",
                                   "accuracy not known of the one recommended",
                                   "train      decavox train configs/tiny.yaml --data FOLDER --out "
                                   "runs/tiny\n",
                                   "use        decavox predict runs/tiny/model.safetensors FILE...",
                                   NULL});
    dv_limits limits = {.latency = 1e-5, .bytes = 1e6, .accuracy = 0.98};
    assert_prints(models, DV_USE_SPEED, &limits,
                  (const char *[]){"speed: none of 6 models will do\n",
                                   "within     p99 at most 10.0 us, at most 1.000 MB on disk, "
                                   "accuracy at least 98 %\n",
                                   "nearest    ", " instead of at most 10.0 us", NULL});
}

/* The answer names its doubts: a busy machine, and accuracies on other clips. */
static void test_doubts(void **state)
{
    (void)state;
    static const char busy[] = "busy       small, tiny: the machine was busy with other work";
    static const char elsewhere[] = "elsewhere  large: accuracy on other clips than those of gsc";
    dv_model_figures models[MODELS];
    make_all(models);
    char *text = printed(models, DV_USE_ACCURACY, &any);
    assert_null(strstr(text, "busy"));
    assert_null(strstr(text, "elsewhere"));
    free(text);
    models[SMALL].busy = models[TINY].busy = true;
    strcpy(models[LARGE].accuracy.protocol, "official/test 0123abcd");
    assert_prints(models, DV_USE_ACCURACY, &any, (const char *[]){busy, elsewhere, NULL});
}

static char *table(dv_model_figures *models)
{
    char *text = NULL;
    size_t size = 0;
    dv_comparison_options options = {.device = "cpu"};
    dv_comparison all = {
        .options = &options, .threads = 1, .machine = "abacus", .models = models, .count = MODELS};
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    dv_comparison_table(&all, out);
    fclose(out);
    return text;
}

static void test_table(void **state)
{
    (void)state;
    static const char note[] = "of other clips are not to be compared";
    dv_model_figures models[MODELS];
    make_all(models);
    char *text = table(models);
    assert_non_null(strstr(
        text,
        "     50.0     100.0     150.0     200.0      1000     8     20.0     10.0   97.00 "));
    assert_null(strchr(text, '!'));
    assert_null(strstr(text, note));
    free(text);
    models[SMALL].busy = true;
    strcpy(models[LARGE].accuracy.protocol, "official/test 0123abcd");
    text = table(models);
    assert_non_null(strstr(
        text,
        "    50.0!    100.0!    150.0!    200.0!     1000!     8     20.0    10.0!   97.00 "));
    assert_non_null(strstr(text, "!        the machine was busy with other work"));
    assert_non_null(strstr(text, note));
    free(text);
}

static void test_numbers(void **state)
{
    (void)state;
    char text[DV_SHORT_SIZE];
    assert_string_equal(dv_show_seconds(8.44e-6, text), "8.44 us");
    assert_string_equal(dv_show_seconds(0.00152, text), "1.52 ms");
    assert_string_equal(dv_show_seconds(2.1, text), "2.10 s");
    assert_string_equal(dv_show_bytes(409768, text), "0.410 MB");
    assert_string_equal(dv_show_bytes(-1, text), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_production_looks_at_the_slowest),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limits_that_nothing_meets),
        cmocka_unit_test(test_what_is_not_known_is_not_recommended_for_accuracy),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_error_rate),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
