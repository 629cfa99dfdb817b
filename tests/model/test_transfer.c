/* Beginning with the parameters of other models: those that fit, and the lines about the rest. */
#include "engine/backends/open.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"
#include "frontends/model/transfer.h"
#include "tests/support/network.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

static const char trunk_text[] = "layers:\n"
                                 "  - conv2d: {filters: 16, kernel: 3, bias: false, name: stem}\n"
                                 "  - batchnorm: {activation: relu, name: norm}\n"
                                 "  - global_avgpool:\n"
                                 "  - linear: {units: classes, name: head}\n";
static const char prefixed_text[] =
    "layers:\n"
    "  - conv2d: {filters: 16, kernel: 3, bias: false, name: a.stem}\n"
    "  - batchnorm: {activation: relu, name: a.norm}\n"
    "  - conv2d: {filters: 16, kernel: 3, bias: false, name: b.stem}\n"
    "  - global_avgpool:\n"
    "  - linear: {units: classes, name: head}\n";
/* A model of four classes, with a layer of four units that has nothing to do with them. */
static const char ensemble_text[] =
    "layers:\n"
    "  - ensemble:\n"
    "      name: mix\n"
    "      models:\n"
    "        - name: a\n"
    "          layers:\n"
    "            - linear: {units: 4, activation: relu, name: hidden}\n"
    "            - conv2d: {filters: classes, kernel: 1, name: head}\n"
    "            - batchnorm: {name: norm}\n"
    "            - global_avgpool:\n"
    "            - dropout: {rate: 0.1}\n"
    "        - name: b\n"
    "          layers: [global_avgpool, linear: {units: classes, name: head}]\n";
static const dv_shape picture = {2, 6, 6, 3};
static const char *const abcd[] = {"a", "b", "c", "d"};

/* ---- Printed lines ---- */

typedef struct lines {
    char text[2048];
} lines;

static void take_line(void *user, const char *line)
{
    lines *told = user;
    size_t length = strlen(told->text);
    snprintf(told->text + length, sizeof told->text - length, "%s\n", line);
}

static void require_told(const lines *told, const char *part)
{
    if (strstr(told->text, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, told->text);
}

/* ---- Models and files ---- */

/* Fills the first parameter with `first`, and each further one with `step` more. With `bad` each
   begins with NaN. */
static void fill(const network *net, dv_buffer buffer, float first, float step, bool bad)
{
    for (int i = 0; i < net->params->count; i++) {
        int64_t count = net->params->items[i].count;
        float *values = calloc((size_t)count, sizeof *values);
        for (int64_t k = 0; k < count; k++)
            values[k] = first + step * (float)i;
        values[0] = bad ? NAN : values[0];
        assert_int_equal(dv_params_write(net->params, i, buffer, values), DV_OK);
        free(values);
    }
}

/* Writes a model with values that no other network has. `bad` is as in fill. */
static void write_model(const char *path, const char *model, int64_t classes, float first, bool bad)
{
    network net;
    dv_tree *config = parse("{features: {type: mel, n_mels: 40, range: [1, 2], old: 1}}");
    dv_tree *labels = parse(classes == 4 ? "[a, b, c, d]" : "[a, b, c, d, e]");
    network_open(&net, &dv_backend_cpu, model, picture, classes, NULL);
    fill(&net, DV_BUFFER_VALUES, first, 1, bad);
    assert_int_equal(dv_checkpoint_write(path, net.params, config, labels, NULL), DV_OK);
    dv_tree_free(config);
    dv_tree_free(labels);
    network_close(&net);
}

static void write_file(const char *path, int64_t classes, float first, bool bad)
{
    write_model(path, trunk_text, classes, first, bad);
}

/* Writes an unfinished training: its last values are 1, their average 2, and the best ones 3. */
static void write_training(const char *path, const char *state_text, bool averages)
{
    network net;
    dv_tree *config = parse("{}"), *labels = parse("[a, b, c, d]"), *state = parse(state_text);
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    fill(&net, DV_BUFFER_VALUES, 1, 0, false);
    assert_int_equal(dv_params_allocate_buffer(net.params, DV_BUFFER_BEST), DV_OK);
    fill(&net, DV_BUFFER_BEST, 3, 0, false);
    if (averages) {
        assert_int_equal(dv_params_allocate_buffer(net.params, DV_BUFFER_AVERAGE), DV_OK);
        fill(&net, DV_BUFFER_AVERAGE, 2, 0, false);
    }
    assert_int_equal(dv_checkpoint_write(path, net.params, config, labels, state), DV_OK);
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(state);
    network_close(&net);
}

/* Transfers to a network for the labels a to d. */
static dv_status transfer(const char *files, const network *net, lines *told)
{
    dv_transfer_target target = {.graph = net->graph, .labels = abcd, .label_count = 4};
    return dv_transfer(files, &target, take_line, told);
}

/* Writes the same weights in FP16 to another file. */
static void write_f16(const char *path, const char *f16)
{
    network net;
    dv_checkpoint checkpoint;
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    assert_int_equal(dv_checkpoint_open(path, &checkpoint), DV_OK);
    assert_int_equal(dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_VALUES), DV_OK);
    assert_int_equal(dv_checkpoint_write_weights(f16, net.params, DV_CHECKPOINT_FP16,
                                                 checkpoint.config, checkpoint.labels),
                     DV_OK);
    dv_checkpoint_close(&checkpoint);
    network_close(&net);
}

/* Whether all elements of a parameter are `value`. */
static bool all_are(const network *net, const char *name, double value)
{
    int index = dv_params_find(net->params, name);
    assert_true(index >= 0);
    double *numbers = network_parameter(net, index, DV_BUFFER_VALUES);
    bool all = true;
    for (int64_t i = 0; i < net->params->items[index].count; i++)
        all = all && numbers[i] == value;
    free(numbers);
    return all;
}

/* ---- Tests ---- */

static void test_another_head(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "trunk.safetensors", path);
    write_file(path, 5, 10, false);
    const dv_backend *const backends[] = {&dv_backend_cpu, &dv_backend_ref};
    for (int b = 0; b < 2; b++) {
        network net;
        lines told = {""};
        network_open(&net, backends[b], trunk_text, picture, 4, NULL);
        assert_int_equal(transfer(path, &net, &told), DV_OK);
        assert_true(all_are(&net, "stem.weight", 10) && all_are(&net, "norm.weight", 11));
        assert_true(all_are(&net, "norm.running_mean", 13) &&
                    all_are(&net, "norm.running_var", 14));
        assert_false(all_are(&net, "head.weight", 15));
        require_told(&told, "trunk.safetensors: 5 of 7 tensors loaded\n");
        require_told(&told, "  not loaded, since the shape or the type differs (2): head.weight, "
                            "head.bias\n");
        assert_null(strstr(told.text, "not in the model"));
        assert_null(strstr(told.text, "in no file")); /* each is told once */
        network_close(&net);
    }
}

static void test_prefixes(void **state)
{
    char one[SCRATCH_PATH_SIZE], two[SCRATCH_PATH_SIZE], files[4 * SCRATCH_PATH_SIZE];
    scratch_path(*state, "one.safetensors", one);
    scratch_path(*state, "two.safetensors", two);
    write_file(one, 4, 10, false);
    write_file(two, 4, 20, false);
    network net;
    lines told = {""};
    network_open(&net, &dv_backend_cpu, prefixed_text, picture, 4, NULL);
    snprintf(files, sizeof files, "a.=%s,=%s", one, two);
    assert_int_equal(transfer(files, &net, &told), DV_OK);
    assert_true(all_are(&net, "a.stem.weight", 10) && all_are(&net, "a.norm.running_var", 14));
    assert_true(all_are(&net, "head.weight", 25) && all_are(&net, "head.bias", 26));
    require_told(&told, "one.safetensors: 5 of 7 tensors loaded\n"
                        "  not in the model (2): a.head.weight, a.head.bias\n");
    require_told(&told, "two.safetensors: 2 of 7 tensors loaded\n");
    require_told(&told, "  in the model, and in no file (1): b.stem.weight\n");
    /* The last one wins. */
    snprintf(files, sizeof files, "a.=%s,a.=%s", one, two);
    assert_int_equal(transfer(files, &net, &told), DV_OK);
    assert_true(all_are(&net, "a.stem.weight", 20));
    network_close(&net);
}

/* Names of folders may contain hyperparameters. */
static void test_names_with_equals_and_commas(void **state)
{
    char one[SCRATCH_PATH_SIZE], two[SCRATCH_PATH_SIZE], files[4 * SCRATCH_PATH_SIZE];
    scratch_path(*state, "lr=0.003.safetensors", one);
    scratch_path(*state, "lr=0.1,batch=8.safetensors", two);
    write_file(one, 4, 10, false);
    write_file(two, 4, 20, false);
    network net;
    lines told = {""};
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    assert_int_equal(transfer(one, &net, &told), DV_OK);
    assert_true(all_are(&net, "stem.weight", 10));
    assert_int_equal(transfer(two, &net, &told), DV_OK);
    assert_true(all_are(&net, "stem.weight", 20));
    snprintf(files, sizeof files, "%s,=%s", one, one);
    assert_int_equal(transfer(files, &net, &told), DV_OK);
    assert_true(all_are(&net, "stem.weight", 10));
    network_close(&net);
    network_open(&net, &dv_backend_cpu, prefixed_text, picture, 4, NULL);
    snprintf(files, sizeof files, "a.=%s", one);
    assert_int_equal(transfer(files, &net, &told), DV_OK);
    assert_true(all_are(&net, "a.stem.weight", 10));
    network_close(&net);
}

static void test_f16(void **state)
{
    char path[SCRATCH_PATH_SIZE], f16[SCRATCH_PATH_SIZE];
    scratch_path(*state, "full.safetensors", path);
    scratch_path(*state, "f16.safetensors", f16);
    write_file(path, 4, 10.3F, false);
    write_f16(path, f16);
    network net;
    lines told = {""};
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    assert_int_equal(transfer(f16, &net, &told), DV_OK);
    require_told(&told, "f16.safetensors: 7 of 7 tensors loaded\n");
    assert_true(all_are(&net, "stem.weight", 10.296875)); /* the nearest multiple of 2^-7 */
    assert_true(all_are(&net, "norm.weight", (double)(10.3F + 1)));
    network_close(&net);
}

/* ---- Labels and features of a file ---- */

static void test_labels(void **state)
{
    static const struct {
        const char *labels[4], *told;
    } cases[] = {
        {{"a", "b", "c", "d"}, NULL},
        {{"b", "a", "c", "d"},
         "  not loaded, since the file has the labels in another order (8): "
         "a.head.weight, a.head.bias, a.norm.weight, a.norm.bias, a.norm.running_mean, "
         "a.norm.running_var, b.head.weight, b.head.bias\n"},
        {{"a", "b", "c", "x"}, "  not loaded, since the file has other labels than the data (8): "},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "ensemble.safetensors", path);
    write_model(path, ensemble_text, 4, 10, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        network net;
        lines told = {""};
        network_open(&net, &dv_backend_cpu, ensemble_text, picture, 4, NULL);
        dv_transfer_target target = {
            .graph = net.graph, .labels = cases[i].labels, .label_count = 4};
        assert_int_equal(dv_transfer(path, &target, take_line, &told), DV_OK);
        assert_true(all_are(&net, "a.hidden.weight", 10) && all_are(&net, "a.hidden.bias", 11));
        bool same = cases[i].told == NULL;
        assert_int_equal(all_are(&net, "a.head.weight", 12), same);
        assert_int_equal(all_are(&net, "a.norm.running_var", 17), same);
        assert_int_equal(all_are(&net, "b.head.weight", 18), same);
        assert_int_equal(all_are(&net, "b.head.bias", 19), same);
        assert_true(all_are(&net, "mix.weight", 20)); /* shares of the members, not of classes */
        require_told(&told, same ? "11 of 11 tensors loaded\n" : cases[i].told);
        assert_true(same == (strstr(told.text, "not loaded") == NULL));
        network_close(&net);
    }
}

static void test_features(void **state)
{
    static const struct {
        const char *features, *told;
    } cases[] = {
        {"{type: mel, n_mels: 40, range: [1, 2], new: 1}", NULL},
        {"{type: mfcc, n_mels: 40, range: [1, 3]}",
         "  warning: trained with other features (2): type mel (now mfcc), range 1 2 (now 1 3)\n"},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "mel.safetensors", path);
    write_file(path, 4, 10, false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        network net;
        lines told = {""};
        dv_tree *features = parse(cases[i].features);
        network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
        dv_transfer_target target = {
            .graph = net.graph, .features = features, .labels = abcd, .label_count = 4};
        assert_int_equal(dv_transfer(path, &target, take_line, &told), DV_OK);
        require_told(&told, "7 of 7 tensors loaded\n");
        if (cases[i].told != NULL)
            require_told(&told, cases[i].told);
        else
            assert_null(strstr(told.text, "warning"));
        dv_tree_free(features);
        network_close(&net);
    }
}

static void test_frozen(void **state)
{
    char path[SCRATCH_PATH_SIZE], files[2 * SCRATCH_PATH_SIZE];
    scratch_path(*state, "frozen.safetensors", path);
    write_file(path, 4, 10, false);
    snprintf(files, sizeof files, "a.=%s", path);
    static const char *const patterns[] = {"a.*", "*.stem.*"};
    for (int i = 0; i < 2; i++) {
        network net;
        lines told = {""};
        network_begin(&net, &dv_backend_cpu, picture);
        network_layers(&net, prefixed_text, 4);
        assert_true(dv_params_freeze(net.params, patterns[i]) > 0);
        network_plan(&net, NULL);
        assert_int_equal(transfer(files, &net, &told), i == 0 ? DV_OK : DV_EARG);
        if (i == 1)
            assert_message("train.freeze keeps 'b.stem.weight' as it is, but no loaded file has");
        network_close(&net);
    }
}

/* From an unfinished training the weights that it answers with are taken. */
static void test_training(void **state)
{
    static const struct {
        const char *state;
        bool averages;
        double value;
        const char *told;
    } cases[] = {
        {"{best_epoch: 0}", false, 1, "training.safetensors: 7 of 7 tensors loaded\n"},
        {"{best_epoch: 0}", true, 2, "7 of 7 tensors loaded, the moving average\n"},
        {"{best_epoch: 4}", true, 3, "7 of 7 tensors loaded, the best epoch's\n"},
        {"{best_epoch: 4}", false, 3, "7 of 7 tensors loaded, the best epoch's\n"},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "training.safetensors", path);
    network net;
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lines told = {""};
        write_training(path, cases[i].state, cases[i].averages);
        assert_int_equal(transfer(path, &net, &told), DV_OK);
        assert_true(all_are(&net, "stem.weight", cases[i].value));
        assert_true(all_are(&net, "norm.running_var", cases[i].value));
        require_told(&told, cases[i].told);
    }
    static const char *const broken[] = {"{step: 4}", "{best_epoch: x}", "{best_epoch: [1]}",
                                         "{best_epoch: -1}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        lines told = {""};
        write_training(path, broken[i], true);
        assert_int_equal(transfer(path, &net, &told), DV_EFORMAT);
        assert_message("training.safetensors: is damaged: 'decavox.state' in its metadata has no "
                       "number of the best epoch");
    }
    network_close(&net);
}

static void test_refusals(void **state)
{
    char path[SCRATCH_PATH_SIZE], bad[SCRATCH_PATH_SIZE], files[2 * SCRATCH_PATH_SIZE];
    scratch_path(*state, "good.safetensors", path);
    scratch_path(*state, "bad.safetensors", bad);
    write_file(path, 4, 10, false);
    write_file(bad, 4, 10, true);
    network net;
    lines told = {""};
    network_open(&net, &dv_backend_cpu, trunk_text, picture, 4, NULL);
    snprintf(files, sizeof files, "other.=%s", path);
    assert_int_equal(transfer(files, &net, &told), DV_EARG);
    assert_message("good.safetensors: nothing in it fits the model under the prefix other.");
    require_told(&told, "0 of 7 tensors loaded");
    assert_int_equal(transfer("a.=", &net, &told), DV_EARG);
    assert_message("a file is missing for the prefix a.");
    snprintf(files, sizeof files, "%s,", path);
    assert_int_equal(transfer(files, &net, &told), DV_EARG);
    assert_message("a file is missing");
    assert_int_equal(transfer(bad, &net, &told), DV_EFORMAT);
    assert_message("bad.safetensors: tensor '");
    assert_message("holds NaN or infinity");
    assert_int_equal(transfer("nowhere.safetensors", &net, &told), DV_EIO);
    assert_message("nowhere.safetensors");
    network_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_head),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names_with_equals_and_commas),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
