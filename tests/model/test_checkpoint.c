#include "engine/backends/open.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"
#include "tests/support/network.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static const char model_text[] = "layers:\n"
                                 "  - conv2d: {filters: 16, kernel: 3, bias: false, name: stem}\n"
                                 "  - batchnorm: {activation: relu, name: norm}\n"
                                 "  - conv2d: {filters: 32, kernel: 3, stride: 2, name: middle}\n"
                                 "  - global_avgpool:\n"
                                 "  - linear: {units: classes, name: head}\n";
static const dv_shape picture = {8, 12, 12, 3};
enum { CLASSES = 4 };

static const char labels_text[] = "[\"0\", \"1\", \"null\", \"a b\"]";
static const char config_text[] = "{model: {name: small}, train: {rate: 0.1}}";
static const char state_text[] = "{step: 12, loss: 0.30000000000000004}";

/* Fills the buffers of a training with different numbers. */
static void fill_buffers(network *net)
{
    static const dv_buffer buffers[] = {DV_BUFFER_VALUES, DV_BUFFER_MOMENT1, DV_BUFFER_MOMENT2,
                                        DV_BUFFER_BEST, DV_BUFFER_AVERAGE};
    for (size_t b = 0; b < COUNT(buffers); b++) {
        assert_int_equal(dv_params_allocate_buffer(net->params, buffers[b]), DV_OK);
        for (int i = 0; i < net->params->count; i++) {
            const dv_param *param = &net->params->items[i];
            if (dv_params_address(net->params, i, buffers[b]) == NULL)
                continue;
            double *numbers = calloc((size_t)param->count, sizeof *numbers);
            float *values = calloc((size_t)param->count, sizeof *values);
            network_draw((uint64_t)(1000 * b) + (uint64_t)i, param->count, numbers);
            for (int64_t k = 0; k < param->count; k++)
                values[k] = (float)numbers[k];
            assert_int_equal(dv_params_write(net->params, i, buffers[b], values), DV_OK);
            free(numbers);
            free(values);
        }
    }
}

static void open_net(network *net, const dv_backend *backend, int64_t batch, bool training)
{
    dv_plan_options options = {.training = training};
    dv_shape shape = picture;
    shape.n = batch;
    network_open(net, backend, model_text, shape, CLASSES, &options);
}

static dv_status write_state(const network *net, const char *path, const char *state)
{
    dv_tree *config = parse(config_text), *labels = parse(labels_text);
    dv_tree *tree = state != NULL ? parse(state) : NULL;
    dv_status status = dv_checkpoint_write(path, net->params, config, labels, tree);
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(tree);
    return status;
}

/* Writes a checkpoint of a cpu training and leaves the network open. */
static void write_good(network *net, const char *path, const char *state)
{
    open_net(net, &dv_backend_cpu, 8, true);
    fill_buffers(net);
    if (write_state(net, path, state) != DV_OK)
        fail_msg("%s", dv_error_message());
}

static void open_good(const char *path, dv_checkpoint *checkpoint)
{
    if (dv_checkpoint_open(path, checkpoint) != DV_OK)
        fail_msg("%s", dv_error_message());
}

/* ---- Round trip ---- */

static void assert_same_buffers(const network *got, const network *want)
{
    static const dv_buffer buffers[] = {DV_BUFFER_VALUES, DV_BUFFER_MOMENT1, DV_BUFFER_MOMENT2,
                                        DV_BUFFER_BEST, DV_BUFFER_AVERAGE};
    for (int i = 0; i < want->params->count; i++) {
        const dv_param *param = &want->params->items[i];
        for (size_t b = 0; b < COUNT(buffers); b++) {
            if (dv_params_address(want->params, i, buffers[b]) == NULL)
                continue;
            double *a = network_parameter(got, i, buffers[b]);
            double *c = network_parameter(want, i, buffers[b]);
            if (memcmp(a, c, (size_t)param->count * sizeof *a) != 0)
                fail_msg("%s, buffer %d", param->name, (int)buffers[b]);
            free(a);
            free(c);
        }
    }
}

/* A checkpoint of a cpu training, in oneDNN's layouts, is read by the reference and by plans of
   other batch sizes. */
static void test_round_trip(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "round.safetensors", path);
    network from;
    write_good(&from, path, state_text);
    static const struct {
        const dv_backend *backend;
        int64_t batch;
        bool training;
    } targets[] = {
        {&dv_backend_cpu, 8, true}, {&dv_backend_cpu, 1, false}, {&dv_backend_ref, 3, true}};
    for (size_t t = 0; t < COUNT(targets); t++) {
        network to;
        dv_checkpoint checkpoint;
        open_net(&to, targets[t].backend, targets[t].batch, targets[t].training);
        open_good(path, &checkpoint);
        for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
            if (!dv_checkpoint_holds((dv_buffer)buffer))
                continue;
            assert_int_equal(dv_params_allocate_buffer(to.params, (dv_buffer)buffer), DV_OK);
            if (dv_checkpoint_read(&checkpoint, to.params, (dv_buffer)buffer) != DV_OK)
                fail_msg("%s", dv_error_message());
        }
        assert_same_buffers(&to, &from);
        dv_checkpoint_close(&checkpoint);
        network_close(&to);
    }
    network_close(&from);
    scratch_clear(*state);
}

static void assert_tree(const dv_tree *got, const char *text)
{
    dv_tree *want = parse(text);
    assert_true(equal(got, want));
    dv_tree_free(want);
}

static void test_texts_come_back(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "texts.safetensors", path);
    network net;
    dv_checkpoint checkpoint;
    write_good(&net, path, state_text);
    open_good(path, &checkpoint);
    assert_string_equal(checkpoint.path, path);
    assert_tree(checkpoint.config, config_text);
    assert_tree(checkpoint.labels, labels_text);
    assert_tree(checkpoint.state, state_text);
    assert_string_equal(checkpoint.labels->children[2]->text, "null");
    dv_checkpoint_close(&checkpoint);
    network_close(&net);
    scratch_clear(*state);
}

static void test_weights_alone(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "weights.safetensors", path);
    network net;
    dv_checkpoint checkpoint;
    write_good(&net, path, NULL);
    open_good(path, &checkpoint);
    assert_null(checkpoint.state);
    assert_int_equal(dv_safetensors_count(checkpoint.file), net.params->count);
    assert_int_equal(dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_VALUES), DV_OK);
    assert_int_equal(dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_MOMENT2), DV_EFORMAT);
    assert_message(path);
    assert_message("tensor 'moment2/stem.weight' is missing");
    assert_int_equal(dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_BEST), DV_EFORMAT);
    assert_message("tensor 'best/stem.weight' is missing");
    dv_checkpoint_close(&checkpoint);
    network_close(&net);
    scratch_clear(*state);
}

/* The same state gives the same bytes, so that files can be compared by their bytes. */
static void test_bytes_repeat(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "bytes.safetensors", path);
    network net;
    size_t sizes[2];
    unsigned char *bytes[2];
    for (int i = 0; i < 2; i++) {
        write_good(&net, path, state_text);
        bytes[i] = file_load(path, &sizes[i]);
        network_close(&net);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
    scratch_clear(*state);
}

static void test_double_parameters_are_refused(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "double.safetensors", path);
    network net, exact;
    dv_checkpoint checkpoint;
    write_good(&net, path, NULL);
    open_net(&exact, &dv_backend_ref64, 8, true);
    assert_int_equal(write_state(&exact, path, NULL), DV_EUNSUPPORTED);
    open_good(path, &checkpoint); /* unchanged */
    assert_int_equal(dv_checkpoint_read(&checkpoint, exact.params, DV_BUFFER_VALUES),
                     DV_EUNSUPPORTED);
    dv_checkpoint_close(&checkpoint);
    network_close(&exact);
    network_close(&net);
    scratch_clear(*state);
}

/* ---- Tensors that do not belong ---- */

enum { MOST_ENTRIES = 64 };

typedef struct content {
    dv_safetensors_entry entries[MOST_ENTRIES];
    size_t count;
} content;

typedef void (*change_fn)(content *all);

static dv_safetensors_entry *entry_of(content *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->entries[i].name, name) == 0)
            return &all->entries[i];
    }
    fail_msg("there is no '%s'", name);
    return NULL;
}

static void leave_out(content *all)
{
    *entry_of(all, "norm.running_var") = all->entries[--all->count];
}

static void add_one(content *all)
{
    dv_safetensors_entry extra = *entry_of(all, "head.bias");
    extra.name = "tail.bias";
    all->entries[all->count++] = extra;
}

static void turn_shape(content *all)
{
    dv_safetensors_entry *entry = entry_of(all, "middle.weight");
    int64_t first = entry->dim[0];
    entry->dim[0] = entry->dim[1];
    entry->dim[1] = first;
}

static void lose_rank(content *all)
{
    dv_safetensors_entry *entry = entry_of(all, "head.weight");
    entry->dim[0] *= entry->dim[1];
    entry->rank = 1;
}

static void change_type(content *all)
{
    dv_safetensors_entry *entry = entry_of(all, "head.weight");
    entry->dtype = DV_SAFETENSORS_F64;
    entry->dim[1] /= 2;
}

/* 32 values, one of which is `number`. */
static const float *with_number(float number)
{
    static float values[32];
    values[5] = number;
    return values;
}

static void put_nan(content *all)
{
    entry_of(all, "middle.bias")->data = with_number((float)NAN);
}

static void put_infinity(content *all)
{
    entry_of(all, "middle.bias")->data = with_number(-(float)INFINITY);
}

/* Writes the tensors and metadata of `good` to another file, with a change. */
static void rewrite(const char *good, change_fn change, const char *path)
{
    dv_safetensors *file;
    assert_int_equal(dv_safetensors_read(good, &file), DV_OK);
    content all = {.count = dv_safetensors_count(file)};
    assert_true(all.count < MOST_ENTRIES);
    for (size_t i = 0; i < all.count; i++)
        all.entries[i] = *dv_safetensors_at(file, i);
    change(&all);
    const dv_safetensors_pair metadata[] = {
        {"decavox.config", dv_safetensors_metadata(file, "decavox.config")},
        {"decavox.labels", dv_safetensors_metadata(file, "decavox.labels")}};
    assert_int_equal(dv_safetensors_write(path, metadata, 2, all.entries, all.count), DV_OK);
    dv_safetensors_free(file);
}

static void test_tensors_must_fit_by_name(void **state)
{
    static const struct {
        change_fn change;
        const char *part;
    } cases[] = {
        {leave_out, "tensor 'norm.running_var' is missing"},
        {add_one, "tensor 'tail.bias' is not in the model"},
        {turn_shape, "tensor 'middle.weight' has another shape"},
        {lose_rank, "tensor 'head.weight' has another shape"},
        {change_type, "tensor 'head.weight' must be F32 or F16"},
        {put_nan, "tensor 'middle.bias' holds NaN or infinity"},
        {put_infinity, "tensor 'middle.bias' holds NaN or infinity"},
    };
    char good[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "good.safetensors", good);
    scratch_path(*state, "changed.safetensors", path);
    network net;
    write_good(&net, good, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_checkpoint checkpoint;
        rewrite(good, cases[i].change, path);
        open_good(path, &checkpoint);
        assert_int_equal(dv_checkpoint_read(&checkpoint, net.params, DV_BUFFER_VALUES), DV_EFORMAT);
        assert_message(path);
        assert_message(cases[i].part);
        dv_checkpoint_close(&checkpoint);
    }
    network_close(&net);
    scratch_clear(*state);
}

/* ---- Damaged files, and those of other programs ---- */

static void refuse(const char *path, dv_status code, const char *part)
{
    dv_checkpoint checkpoint;
    dv_status status = dv_checkpoint_open(path, &checkpoint);
    if (status != code)
        fail_msg("%s: status %d, not %d: %s", part, (int)status, (int)code, dv_error_message());
    assert_null(checkpoint.file);
    assert_null(checkpoint.path);
    assert_message(path);
    assert_message(part);
}

static void test_truncated_and_flipped(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "damaged.safetensors", path);
    network net;
    size_t size;
    write_good(&net, path, state_text);
    unsigned char *bytes = file_load(path, &size);
    const size_t lengths[] = {0, 1, 7, 8, 9, 500, size / 2, size - 4, size - 1};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        file_store(path, bytes, lengths[i]);
        refuse(path, DV_EFORMAT, "");
    }
    /* The places lie all over the file: length, header, metadata, tensors. */
    for (size_t place = 0; place < size; place += place < 64 ? 1 : size / 97) {
        unsigned char bit = (unsigned char)(1U << (place % 8));
        bytes[place] ^= bit;
        file_store(path, bytes, size);
        refuse(path, DV_EFORMAT, "");
        bytes[place] ^= bit;
    }
    dv_checkpoint checkpoint;
    file_store(path, bytes, size);
    open_good(path, &checkpoint);
    dv_checkpoint_close(&checkpoint);
    free(bytes);
    network_close(&net);
    scratch_clear(*state);
}

static void test_files_of_others(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "other.safetensors", path);
    refuse("tests/golden/python.safetensors", DV_EFORMAT, "no checkpoint of decavox");
    refuse(path, DV_EIO, "");
    refuse("tests/golden", DV_EIO, "");
    file_store(path, "model:\n  name: mini\n", 20);
    refuse(path, DV_EFORMAT, "");
    scratch_clear(*state);
}

static void test_texts_must_be_there(void **state)
{
    static const struct {
        const char *config, *labels, *state, *part;
    } cases[] = {
        {NULL, labels_text, NULL, "its metadata have no 'decavox.config'"},
        {config_text, NULL, NULL, "its metadata have no 'decavox.labels'"},
        {"[1]", labels_text, NULL, "'decavox.config' in its metadata is no map"},
        {"a: [", labels_text, NULL, "decavox.config:"},
        {config_text, "{a: 1}", NULL, "'decavox.labels' in its metadata is no list"},
        {config_text, "[]", NULL, "'decavox.labels' in its metadata is no list"},
        {config_text, "[a, ]", NULL, NULL}, /* a comma at the end is good YAML */
        {config_text, "[a, [b]]", NULL, "'decavox.labels' in its metadata is no list"},
        {config_text, "[a, \"\\e[2J\"]", NULL, "without control characters"},
        {config_text, "[a, \"\\x9b2J\"]", NULL, "without control characters"},
        {config_text, labels_text, "a: &x 1", "decavox.state:"},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "texts.safetensors", path);
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_safetensors_pair pairs[3];
        size_t count = 0;
        if (cases[i].config != NULL)
            pairs[count++] = (dv_safetensors_pair){"decavox.config", cases[i].config};
        if (cases[i].labels != NULL)
            pairs[count++] = (dv_safetensors_pair){"decavox.labels", cases[i].labels};
        if (cases[i].state != NULL)
            pairs[count++] = (dv_safetensors_pair){"decavox.state", cases[i].state};
        assert_int_equal(dv_safetensors_write(path, pairs, count, NULL, 0), DV_OK);
        dv_checkpoint checkpoint;
        if (cases[i].part != NULL) {
            refuse(path, DV_EFORMAT, cases[i].part);
        } else {
            open_good(path, &checkpoint);
            dv_checkpoint_close(&checkpoint);
        }
    }
    scratch_clear(*state);
}

/* ---- A full disk ---- */

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_keeps_the_old_file(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "kept.safetensors", path);
    network net;
    size_t before_size, after_size;
    write_good(&net, path, NULL);
    unsigned char *before = file_load(path, &before_size);
    signal(SIGXFSZ, SIG_IGN); /* writes over the limit then fail with EFBIG */
    static const rlim_t limits[] = {0, 100, 20000};
    for (size_t i = 0; i < COUNT(limits); i++) {
        limit_files(limits[i]);
        dv_status status = write_state(&net, path, state_text);
        limit_files(RLIM_INFINITY);
        assert_int_equal(status, DV_EIO);
        assert_message(path);
        unsigned char *after = file_load(path, &after_size);
        assert_int_equal(after_size, before_size);
        assert_memory_equal(after, before, before_size);
        assert_int_equal(scratch_count(*state), 1); /* no temporary is left */
        free(after);
    }
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(write_state(&net, path, state_text), DV_OK);
    free(before);
    network_close(&net);
    scratch_clear(*state);
}

static void test_a_folder_that_is_not_there(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "absent/x.safetensors", path);
    network net;
    open_net(&net, &dv_backend_cpu, 1, false);
    assert_int_equal(write_state(&net, path, NULL), DV_EIO);
    assert_message(path);
    network_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_texts_come_back),
        cmocka_unit_test(test_weights_alone),
        cmocka_unit_test(test_bytes_repeat),
        cmocka_unit_test(test_double_parameters_are_refused),
        cmocka_unit_test(test_tensors_must_fit_by_name),
        cmocka_unit_test(test_truncated_and_flipped),
        cmocka_unit_test(test_files_of_others),
        cmocka_unit_test(test_texts_must_be_there),
        cmocka_unit_test(test_a_full_disk_keeps_the_old_file),
        cmocka_unit_test(test_a_folder_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
