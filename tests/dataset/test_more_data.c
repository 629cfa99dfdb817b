/* Clips that are left out of a data set, and further data that are added for training. */
#include "engine/base/yaml.h"
#include "tests/support/dataset_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Makes 2 labels x 3 speakers x 2 takes. The speakers' names begin with `initial`. */
static void make_clips(const char *root, const char *folder, char initial)
{
    make_subfolder(root, folder);
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%d_%c%d_%d.wav", folder, i % 2, initial, i / 2 % 3, i / 6);
        write_file(root, name, "");
    }
}

/* Folders a and b, and a configuration that trains on a without speaker a0. `more` is YAML in which
   %s stands for the root, at most twice. */
typedef struct more_data {
    dv_data_config config;
    dv_tree *tree;
    dv_dataset dataset;
} more_data;

static dv_status prepare(const char *root, const char *more, more_data *out)
{
    char text[3 * PATH_SIZE];
    *out = (more_data){.config = {.split = "leave_one_out:a0", .max_seconds = 30}};
    assert_true((size_t)snprintf(out->config.path, sizeof out->config.path, "%s/a", root) <
                sizeof out->config.path);
    snprintf(text, sizeof text, more, root, root);
    assert_int_equal(dv_yaml_parse(text, strlen(text), "m.yaml", &out->tree), DV_OK);
    out->config.more = out->tree;
    return dv_dataset_prepare(&out->config, &out->dataset);
}

static void drop(more_data *data)
{
    dv_dataset_free(&data->dataset);
    dv_tree_free(data->tree);
}

static int count_of(const dv_dataset *dataset, dv_part part, char initial)
{
    int count = 0;
    for (size_t i = 0; i < dataset->count; i++)
        count += dataset->clips[i].part == part && dataset->clips[i].speaker[0] == initial;
    return count;
}

static void excluded(void **state)
{
    char path[PATH_SIZE], list[PATH_SIZE];
    dv_dataset dataset;
    make_clips(*state, "a", 'a');
    write_file(*state, "list.csv",
               "file,why\n0_a0_0.wav,noise\na/1_a1_1.wav,\"cut, twice\"\n"
               "_a2_0.wav,no end behind a slash\n");
    open_good(path_in(*state, "a", path), &dataset);
    assert_int_equal(dv_dataset_exclude(&dataset, path_in(*state, "list.csv", list)), DV_OK);
    assert_int_equal(dataset.count, 10);
    assert_int_equal(dataset.removed.excluded, 2);
    for (size_t i = 0; i < dataset.count; i++) {
        assert_string_not_equal(file_name(&dataset.clips[i]), "0_a0_0.wav");
        assert_string_not_equal(file_name(&dataset.clips[i]), "1_a1_1.wav");
    }
    assert_int_equal(dv_dataset_exclude(&dataset, list), DV_ECONFIG); /* they are gone already */
    assert_message("list.csv names none of the 10 clips");
    assert_int_equal(dataset.count, 10);
    assert_int_equal(dv_dataset_exclude(&dataset, path_in(*state, "none.csv", list)), DV_EIO);
    assert_message("none.csv");
    dv_dataset_free(&dataset);
}

static void added(void **state)
{
    make_clips(*state, "a", 'a');
    make_clips(*state, "b", 'b');
    more_data data;
    assert_int_equal(prepare(*state, "[{path: %s/b}]", &data), DV_OK);
    assert_int_equal(data.dataset.count, 24);
    assert_int_equal(data.dataset.label_count, 2);
    assert_int_equal(count_of(&data.dataset, DV_PART_TEST, 'a'), 4);
    assert_int_equal(count_of(&data.dataset, DV_PART_TRAIN, 'a'), 8);
    assert_int_equal(count_of(&data.dataset, DV_PART_TRAIN, 'b'), 12);
    drop(&data);
}

/* Test clips of the further data are neither trained on nor tested with. */
static void tests_of_more_stay_out(void **state)
{
    make_clips(*state, "a", 'a');
    make_clips(*state, "b", 'b');
    write_file(*state, "list.csv", "0_b1_0.wav\n");
    more_data data;
    assert_int_equal(prepare(*state,
                             "[{path: %s/b, split: 'leave_one_out:b0', validation: 0.25, "
                             "exclude: %s/list.csv}]",
                             &data),
                     DV_OK);
    assert_int_equal(data.dataset.count, 12 + 7);
    assert_int_equal(data.dataset.removed.excluded, 1);
    assert_int_equal(data.dataset.removed.test_of_more, 4);
    assert_int_equal(count_of(&data.dataset, DV_PART_TEST, 'b'), 0);
    int validation = count_of(&data.dataset, DV_PART_VALIDATION, 'b');
    assert_in_range(validation, 1, 3);
    assert_int_equal(count_of(&data.dataset, DV_PART_TRAIN, 'b'), 7 - validation);
    for (size_t i = 0; i < data.dataset.count; i++)
        assert_string_not_equal(data.dataset.clips[i].speaker, "b0");
    drop(&data);
}

/* Labels are matched by name, whatever number each data set gives them. */
static void labels_keep_their_numbers(void **state)
{
    make_clips(*state, "a", 'a');
    make_subfolder(*state, "b");
    write_file(*state, "b/1_b0_0.wav", "");
    more_data data;
    assert_int_equal(prepare(*state, "[{path: %s/b}]", &data), DV_OK);
    assert_int_equal(data.dataset.clips[12].label, 1);
    drop(&data);
    write_file(*state, "b/7_b0_0.wav", "");
    assert_int_equal(prepare(*state, "[{path: %s/b}]", &data), DV_ECONFIG);
    assert_message("data.more: item 1");
    assert_message("no label '7'");
    drop(&data);
}

static void refusals(void **state)
{
    static const char *const bad[][2] = {
        {"[{path: %s/a}]", "a is named twice among data.path and data.more"},
        {"[{path: %s/b}, {path: %s/b/../b}]", "item 2: "},
        {"[{path: %s/c}]", "c: cannot be read: No such file"},
        {"[{split: train}]", "path"},
        {"[{path: %s/b, splitt: train}]", "did you mean 'split'"},
        {"[{path: %s/b, split: speakr}]", "did you mean 'speaker'"},
        {"[x]", "expected a map"},
        {"x", "expected a list"},
    };
    make_clips(*state, "a", 'a');
    make_clips(*state, "b", 'b');
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        more_data data;
        assert_int_not_equal(prepare(*state, bad[i][0], &data), DV_OK);
        assert_message(bad[i][1]);
        assert_int_equal(data.dataset.count, 0);
        drop(&data);
    }
}

static dv_data_config config_of(const char *path, const char *split)
{
    dv_data_config config = {.test = 0.1, .validation = 0};
    assert_true(strlen(path) < sizeof config.path && strlen(split) < sizeof config.split);
    strcpy(config.path, path);
    strcpy(config.split, split);
    return config;
}

static dv_status prepare_one(const char *path, const char *split, dv_dataset *dataset)
{
    dv_data_config config = config_of(path, split);
    return dv_dataset_prepare(&config, dataset);
}

static void nothing_to_train_on(void **state)
{
    dv_dataset dataset;
    make_subfolder(*state, "yes");
    write_file(*state, "yes/ann_1.wav", "");
    assert_int_equal(prepare_one(*state, "leave_one_out:ann", &dataset), DV_ECONFIG);
    assert_message("none of the 1 clips is left for training");
    dv_data_config config =
        config_of(*state, "leave_one_out:ann"); /* it may still be tested with */
    assert_int_equal(dv_dataset_open_parts(&config, &dataset), DV_OK);
    assert_int_equal(dataset.clips[0].part, DV_PART_TEST);
    dv_dataset_free(&dataset);
}

/* A file with two names is one file. */
static void one_file_in_two_parts(void **state)
{
    char path[PATH_SIZE];
    dv_dataset dataset;
    make_clips(*state, "a", 'a');
    path_in(*state, "m.csv", path);
    write_file(*state, "m.csv",
               "path,label,split\na/0_a0_0.wav,0,train\n./a/0_a0_0.wav,0,test\n"
               "a/1_a0_0.wav,1,train\n");
    assert_int_equal(prepare_one(path, "official", &dataset), DV_ECONFIG);
    assert_message("in the training part as '");
    assert_message("/./a/0_a0_0.wav'");
    assert_int_equal(prepare_one(path, "train", &dataset),
                     DV_OK); /* a file may be twice in one part */
    assert_int_equal(dataset.count, 3);
    dv_dataset_free(&dataset);

    make_subfolder(*state, "links");
    char target[PATH_SIZE], link[PATH_SIZE];
    assert_int_equal(
        symlink(path_in(*state, "a/1_a0_0.wav", target), path_in(*state, "links/1_z_0.wav", link)),
        0);
    more_data data;
    assert_int_equal(prepare(*state, "[{path: %s/links}]", &data), DV_ECONFIG);
    assert_message("links/1_z_0.wav'");
    drop(&data);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(path_in(*state, "a/1_a1_0.wav", target), link), 0);
    assert_int_equal(prepare(*state, "[{path: %s/links}]", &data),
                     DV_OK); /* both are for training */
    drop(&data);
}

/* Test and validation clips of a later training are left out, under any name. */
static void tested_clips_are_left_out(void **state)
{
    char path[PATH_SIZE];
    size_t left;
    dv_dataset later, before;
    make_clips(*state, "a", 'a');
    make_clips(*state, "b", 'b');
    write_file(*state, "m.csv",
               "path,label,split\n./a/0_a0_0.wav,0,\na/1_a0_0.wav,1,\na/1_a1_0.wav,1,\n"
               "b/0_b0_0.wav,0,\n");
    path_in(*state, "m.csv", path);
    assert_int_equal(prepare_one(path, "train", &before), DV_OK);
    char folder[PATH_SIZE];
    assert_int_equal(prepare_one(path_in(*state, "a", folder), "leave_one_out:a0", &later), DV_OK);
    assert_int_equal(dv_dataset_leave_out_tested(&before, &later, &left), DV_OK);
    assert_int_equal(left, 2);
    assert_int_equal(before.count, 2);
    assert_string_equal(file_name(&before.clips[0]), "1_a1_0.wav");
    assert_string_equal(file_name(&before.clips[1]), "0_b0_0.wav");
    for (size_t i = 0; i < later.count; i++)
        later.clips[i].part = DV_PART_VALIDATION;
    assert_int_equal(dv_dataset_leave_out_tested(&before, &later, &left), DV_OK);
    assert_int_equal(left, 1);
    assert_int_equal(before.removed.tested_later, 2 + 1);
    dv_dataset_free(&before);
    assert_int_equal(prepare_one(folder, "train", &before), DV_OK);
    assert_int_equal(dv_dataset_leave_out_tested(&before, &later, &left), DV_ECONFIG);
    assert_message("no clip is left for training: 12 are in the test or validation part");
    dv_dataset_free(&before);
    dv_dataset_free(&later);
}

static void fingerprints(void **state)
{
    char path[PATH_SIZE];
    dv_dataset dataset;
    make_clips(*state, "a", 'a');
    make_clips(*state, "other", 'a');
    assert_int_equal(prepare_one(path_in(*state, "a", path), "train", &dataset), DV_OK);
    uint64_t value = dv_dataset_fingerprint(&dataset);
    dataset.clips[5].part = DV_PART_TEST;
    assert_true(dv_dataset_fingerprint(&dataset) != value);
    dataset.clips[5].part = DV_PART_TRAIN;
    assert_true(dv_dataset_fingerprint(&dataset) == value);
    dataset.clips[5].label = 1 - dataset.clips[5].label;
    assert_true(dv_dataset_fingerprint(&dataset) != value);
    dv_dataset_free(&dataset);
    assert_int_equal(prepare_one(path_in(*state, "other", path), "train", &dataset), DV_OK);
    assert_true(dv_dataset_fingerprint(&dataset) == value); /* the folder does not matter */
    dv_dataset_free(&dataset);
    write_file(*state, "other/0_a0_9.wav", "");
    assert_int_equal(prepare_one(path, "train", &dataset), DV_OK);
    assert_true(dv_dataset_fingerprint(&dataset) != value);
    dv_dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(excluded),
        IN_FOLDER(added),
        IN_FOLDER(tests_of_more_stay_out),
        IN_FOLDER(labels_keep_their_numbers),
        IN_FOLDER(refusals),
        IN_FOLDER(nothing_to_train_on),
        IN_FOLDER(one_file_in_two_parts),
        IN_FOLDER(tested_clips_are_left_out),
        IN_FOLDER(fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
