/* Checkpoints of weights alone, in FP32 and FP16. */
#include "engine/backends/open.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"
#include "tests/support/network.h"
#include "tests/support/rounding.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

static const char model_text[] = "layers:\n"
                                 "  - conv2d: {filters: 16, kernel: 3, bias: false, name: stem}\n"
                                 "  - batchnorm: {activation: relu, name: norm}\n"
                                 "  - conv2d: {filters: 32, kernel: 3, stride: 2, name: middle}\n"
                                 "  - global_avgpool:\n"
                                 "  - linear: {units: classes, name: head}\n";
static const char labels_text[] = "[\"0\", \"1\", \"null\", \"a b\"]";
static const char config_text[] = "{model: {name: small}, train: {rate: 0.1}}";

static void open_net(network *net, int64_t batch)
{
    network_open(net, &dv_backend_cpu, model_text, (dv_shape){batch, 12, 12, 3}, 4, NULL);
}

/* Makes a network in oneDNN's layouts with values that FP16 does not have. */
static void draw_net(network *net)
{
    open_net(net, 8);
    for (int i = 0; i < net->params->count; i++) {
        int64_t count = net->params->items[i].count;
        double *numbers = calloc((size_t)count, sizeof *numbers);
        network_draw((uint64_t)i, count, numbers);
        network_set_parameter(net, i, numbers);
        free(numbers);
    }
}

static void open_good(const char *path, dv_checkpoint *checkpoint)
{
    if (dv_checkpoint_open(path, checkpoint) != DV_OK)
        fail_msg("%s", dv_error_message());
}

static void write_plain(const network *net, const char *path)
{
    dv_tree *config = parse(config_text), *labels = parse(labels_text);
    assert_int_equal(dv_checkpoint_write(path, net->params, config, labels, NULL), DV_OK);
    dv_tree_free(config);
    dv_tree_free(labels);
}

static dv_status write_weights(const network *net, const char *path,
                               dv_checkpoint_precision precision)
{
    dv_tree *config = parse(config_text), *labels = parse(labels_text);
    dv_status status = dv_checkpoint_write_weights(path, net->params, precision, config, labels);
    dv_tree_free(config);
    dv_tree_free(labels);
    return status;
}

/* Sets one number of a parameter. */
static void put_number(network *net, const char *name, int64_t place, double number)
{
    int index = dv_params_find(net->params, name);
    double *numbers = network_parameter(net, index, DV_BUFFER_VALUES);
    numbers[place] = number;
    network_set_parameter(net, index, numbers);
    free(numbers);
}

static bool is_rounded(const dv_param *param)
{
    return strcmp(param->name, "stem.weight") == 0 || strcmp(param->name, "middle.weight") == 0 ||
           strcmp(param->name, "head.weight") == 0;
}

/* Matrices are read back as the nearest numbers of FP16, other tensors unchanged, through oneDNN's
   layouts. */
static void test_rounded_weights_come_back(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "f16.safetensors", path);
    network from, to;
    dv_checkpoint checkpoint;
    draw_net(&from);
    put_number(&from, "norm.running_var", 3, 1e6);    /* beyond FP16's range */
    put_number(&from, "norm.weight", 1, 1.2345678);   /* more digits than FP16 has */
    put_number(&from, "stem.weight", 0, 65519);       /* rounds to the largest */
    put_number(&from, "stem.weight", 1, 1 + 0x1p-11); /* a tie, to even */
    put_number(&from, "stem.weight", 2, 0x1.8p-24);   /* subnormal, a tie */
    assert_int_equal(write_weights(&from, path, DV_CHECKPOINT_FP16), DV_OK);
    open_net(&to, 3);
    open_good(path, &checkpoint);
    assert_int_equal(dv_checkpoint_read(&checkpoint, to.params, DV_BUFFER_VALUES), DV_OK);
    for (int i = 0; i < from.params->count; i++) {
        const dv_param *param = &from.params->items[i];
        double *want = network_parameter(&from, i, DV_BUFFER_VALUES);
        double *got = network_parameter(&to, i, DV_BUFFER_VALUES);
        for (int64_t k = 0; k < param->count; k++) {
            float value = (float)want[k];
            if (is_rounded(param))
                value = float_from_bits(DV_F16, bits_from_float(DV_F16, value));
            if ((float)got[k] != value)
                fail_msg("%s: %g, not %g", param->name, got[k], (double)value);
        }
        if (strcmp(param->name, "stem.weight") == 0) {
            assert_true(got[0] == 65504 && got[1] == 1);
            assert_true(got[2] == 0x1p-23);
        }
        free(want);
        free(got);
    }
    size_t count, rounded;
    dv_checkpoint_tensors(&checkpoint, &count, &rounded);
    assert_int_equal(count, from.params->count);
    assert_int_equal(rounded, 3);
    dv_checkpoint_close(&checkpoint);
    network_close(&to);
    network_close(&from);
    scratch_clear(*state);
}

/* In FP32 a file of weights is equal to that of dv_checkpoint_write. In FP16 rounded tensors take
   half the space. */
static void test_sizes_of_precisions(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "size.safetensors", path);
    network net;
    size_t plain_size, full_size, rounded_size, saved = 0;
    draw_net(&net);
    write_plain(&net, path);
    unsigned char *plain = file_load(path, &plain_size);
    assert_int_equal(write_weights(&net, path, DV_CHECKPOINT_FP32), DV_OK);
    unsigned char *full = file_load(path, &full_size);
    assert_int_equal(full_size, plain_size);
    assert_memory_equal(full, plain, full_size);
    assert_int_equal(write_weights(&net, path, DV_CHECKPOINT_FP16), DV_OK);
    unsigned char *rounded = file_load(path, &rounded_size);
    for (int i = 0; i < net.params->count; i++)
        saved += is_rounded(&net.params->items[i]) ? 2 * (size_t)net.params->items[i].count : 0;
    assert_true(rounded_size <= full_size - saved + 64); /* the header is a multiple of 64 bytes */
    assert_true(rounded_size < full_size * 6 / 10);
    free(plain);
    free(full);
    free(rounded);
    network_close(&net);
    scratch_clear(*state);
}

static void test_weights_of_no_use_are_refused(void **state)
{
    static const struct {
        const char *name;
        double number;
        dv_checkpoint_precision precision;
        const char *part; /* part of the message, NULL if the file is written */
    } cases[] = {
        {"middle.weight", 65520, DV_CHECKPOINT_FP16, "parameter 'middle.weight': 65520 is too"},
        {"middle.weight", -1e9, DV_CHECKPOINT_FP16, "parameter 'middle.weight': -1e+09 is too"},
        {"middle.weight", 65520, DV_CHECKPOINT_FP32, NULL},
        {"middle.bias", 65520, DV_CHECKPOINT_FP16, NULL},
        {"norm.running_var", 1e30, DV_CHECKPOINT_FP16, NULL},
        {"head.weight", (double)NAN, DV_CHECKPOINT_FP16, "parameter 'head.weight' holds NaN"},
        {"head.weight", (double)NAN, DV_CHECKPOINT_FP32, "parameter 'head.weight' holds NaN"},
        {"norm.running_mean", (double)INFINITY, DV_CHECKPOINT_FP16, "'norm.running_mean' holds"},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "refused.safetensors", path);
    for (size_t i = 0; i < COUNT(cases); i++) {
        network net;
        open_net(&net, 1);
        put_number(&net, cases[i].name, 2, cases[i].number);
        dv_status status = write_weights(&net, path, cases[i].precision);
        assert_int_equal(status, cases[i].part != NULL ? DV_ENUMERIC : DV_OK);
        assert_int_equal(scratch_count(*state), cases[i].part != NULL ? 0 : 1);
        if (cases[i].part != NULL) {
            assert_message(cases[i].part);
            assert_message(path);
        }
        scratch_clear(*state);
        network_close(&net);
    }
}

/* The public safetensors package reads the same numbers as numpy's rounding gives. */
static void test_f16_by_python(void **state)
{
    char full[SCRATCH_PATH_SIZE], f16[SCRATCH_PATH_SIZE], command[3 * SCRATCH_PATH_SIZE];
    if (system("python3 -c 'import numpy, safetensors' 2>/dev/null") != 0) {
        printf("skipped: python3 has no safetensors\n");
        skip();
    }
    scratch_path(*state, "full.safetensors", full);
    scratch_path(*state, "f16.safetensors", f16);
    network net;
    draw_net(&net);
    write_plain(&net, full);
    assert_int_equal(write_weights(&net, f16, DV_CHECKPOINT_FP16), DV_OK);
    snprintf(command, sizeof command, "python3 tests/golden/check_f16.py '%s' '%s' 3", full, f16);
    assert_int_equal(system(command), 0);
    network_close(&net);
    scratch_clear(*state);
}

/* ---- Tensors in files of other programs ---- */

/* Writes all tensors of `good` again, but middle.bias as 32 numbers in F16, one of them `number`.
 */
static void rewrite_bias(const char *good, uint16_t number, const char *path)
{
    enum { MOST_ENTRIES = 32 };
    dv_safetensors *file;
    dv_safetensors_entry entries[MOST_ENTRIES];
    uint16_t f16[32] = {[7] = number};
    assert_int_equal(dv_safetensors_read(good, &file), DV_OK);
    size_t count = dv_safetensors_count(file);
    assert_true(count <= MOST_ENTRIES);
    for (size_t i = 0; i < count; i++) {
        entries[i] = *dv_safetensors_at(file, i);
        if (strcmp(entries[i].name, "middle.bias") == 0) {
            entries[i].dtype = DV_SAFETENSORS_F16;
            entries[i].data = f16;
        }
    }
    const dv_safetensors_pair metadata[] = {
        {"decavox.config", dv_safetensors_metadata(file, "decavox.config")},
        {"decavox.labels", dv_safetensors_metadata(file, "decavox.labels")}};
    assert_int_equal(dv_safetensors_write(path, metadata, 2, entries, count), DV_OK);
    dv_safetensors_free(file);
}

/* Reads the changed file. `training` is a state, which makes it a training's file, or NULL. `part`
   is part of the message, NULL if the file is read. */
static void read_bias(void **state, uint16_t number, const char *training, const char *part)
{
    char good[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "good.safetensors", good);
    scratch_path(*state, "changed.safetensors", path);
    network net;
    dv_checkpoint checkpoint;
    draw_net(&net);
    write_plain(&net, good);
    rewrite_bias(good, number, path);
    open_good(path, &checkpoint);
    checkpoint.state = training != NULL ? parse(training) : NULL;
    dv_status status = dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_VALUES);
    assert_int_equal(status, part != NULL ? DV_EFORMAT : DV_OK);
    if (part != NULL) {
        assert_message(path);
        assert_message(part);
    } else {
        int index = dv_params_find(net.params, "middle.bias");
        double *numbers = network_parameter(&net, index, DV_BUFFER_VALUES);
        assert_true(numbers[7] == (double)float_from_bits(DV_F16, number) && numbers[8] == 0);
        free(numbers);
    }
    dv_checkpoint_close(&checkpoint);
    network_close(&net);
    scratch_clear(*state);
}

static void test_f16_of_others(void **state)
{
    read_bias(state, 0x3555, NULL, NULL); /* any tensor may be F16 */
    read_bias(state, 0x8001, NULL, NULL); /* subnormal */
    read_bias(state, 0x7E00, NULL, "tensor 'middle.bias' holds NaN or infinity");
    read_bias(state, 0xFC00, NULL, "tensor 'middle.bias' holds NaN or infinity");
    read_bias(state, 0x3555, "{step: 1}", "tensor 'middle.bias' of a training must be F32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounded_weights_come_back),
        cmocka_unit_test(test_sizes_of_precisions),
        cmocka_unit_test(test_weights_of_no_use_are_refused),
        cmocka_unit_test(test_f16_by_python),
        cmocka_unit_test(test_f16_of_others),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
