/* What is left out of a data set, and what is added to it for training. */
#include "engine/io/yaml.h"
#include "tests/dataset_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* 2 labels x 3 speakers x 2 takes; the speakers' names begin with `initial`. */
static void make_clips(const char *root, const char *folder, char initial)
{
    make_subfolder(root, folder);
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%d_%c%d_%d.wav", folder, i % 2, initial, i / 2 % 3, i / 6);
        write_file(root, name, "");
    }
}

/* Folders a and b, and a configuration that trains on a but for speaker a0; `more` is YAML in
   which %s stands for the root, at most twice. */
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
    for (size_t i = 0; i < dataset.count; i++) {
        assert_string_not_equal(file_name(&dataset.clips[i]), "0_a0_0.wav");
        assert_string_not_equal(file_name(&dataset.clips[i]), "1_a1_1.wav");
    }
    assert_int_equal(dv_dataset_exclude(&dataset, list), DV_ECONFIG); /* they are gone */
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
    assert_int_equal(count_of(&data.dataset, DV_TEST, 'a'), 4);
    assert_int_equal(count_of(&data.dataset, DV_TRAIN, 'a'), 8);
    assert_int_equal(count_of(&data.dataset, DV_TRAIN, 'b'), 12);
    drop(&data);
}

/* What the further data keep for testing is neither trained on nor tested with. */
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
    assert_int_equal(count_of(&data.dataset, DV_TEST, 'b'), 0);
    int validation = count_of(&data.dataset, DV_VALIDATION, 'b');
    assert_in_range(validation, 1, 3);
    assert_int_equal(count_of(&data.dataset, DV_TRAIN, 'b'), 7 - validation);
    for (size_t i = 0; i < data.dataset.count; i++)
        assert_string_not_equal(data.dataset.clips[i].speaker, "b0");
    drop(&data);
}

/* Labels go by their names, whatever number each data set gives them. */
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
        {"[{path: %s/a}]", "a stands in data twice"},
        {"[{path: %s/b}, {path: %s/b/../b}]", "item 2: "},
        {"[{path: %s/c}]", "c: No such file"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(excluded),
        IN_FOLDER(added),
        IN_FOLDER(tests_of_more_stay_out),
        IN_FOLDER(labels_keep_their_numbers),
        IN_FOLDER(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
