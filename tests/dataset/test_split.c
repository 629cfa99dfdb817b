/* All ways to split a data set, and to weigh its classes. */
#include "engine/base/yaml.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Makes 4 labels x `speakers` speakers x 10 takes, as empty files. */
static void make_named(const char *folder, int speakers)
{
    for (int label = 0; label < 4; label++) {
        for (int speaker = 0; speaker < speakers; speaker++) {
            for (int index = 0; index < 10; index++) {
                char name[64];
                snprintf(name, sizeof name, "%d_s%d_%d.wav", label, speaker, index);
                write_file(folder, name, "");
            }
        }
    }
}

static int64_t count_part(const dv_dataset *dataset, dv_part part)
{
    int64_t *indices;
    int64_t count;
    assert_int_equal(dv_dataset_part(dataset, part, &indices, &count), DV_OK);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(dataset->clips[indices[i]].part, part);
        assert_true(i == 0 || indices[i] > indices[i - 1]);
    }
    free(indices);
    return count;
}

/* Splits, and asserts that the three parts have these sizes and are all clips. */
static void split_into(dv_dataset *dataset, const dv_data_config *config, int64_t train,
                       int64_t validation, int64_t test)
{
    if (dv_dataset_split(dataset, config) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(count_part(dataset, DV_PART_TRAIN), train);
    assert_int_equal(count_part(dataset, DV_PART_VALIDATION), validation);
    assert_int_equal(count_part(dataset, DV_PART_TEST), test);
    assert_int_equal(train + validation + test, dataset->count);
}

static int64_t count_where(const dv_dataset *dataset, dv_part part, int label, const char *speaker)
{
    int64_t count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        count += clip->part == part && (label < 0 || clip->label == label) &&
                 (speaker == NULL || strcmp(clip->speaker, speaker) == 0);
    }
    return count;
}

/* The parts of all clips as a text, to compare splits with. */
static char *parts_of(const dv_dataset *dataset)
{
    char *text = calloc(dataset->count + 1, 1);
    assert_non_null(text);
    for (size_t i = 0; i < dataset->count; i++)
        text[i] = "TVX"[dataset->clips[i].part];
    return text;
}

static void assert_same_split(dv_dataset *dataset, dv_data_config config, bool other_seed_differs)
{
    char *first = parts_of(dataset);
    assert_int_equal(dv_dataset_split(dataset, &config), DV_OK);
    char *again = parts_of(dataset);
    config.seed += 1;
    assert_int_equal(dv_dataset_split(dataset, &config), DV_OK);
    char *other = parts_of(dataset);
    assert_string_equal(first, again);
    assert_int_equal(strcmp(first, other) != 0, other_seed_differs);
    free(first);
    free(again);
    free(other);
}

static void official_split(void **state)
{
    make_named(*state, 2);
    dv_dataset dataset;
    open_good(*state, &dataset);
    dv_data_config config = {.split = "official", .test = 0.9, .validation = 0.0, .seed = 3};
    split_into(&dataset, &config, 40, 0, 40);
    for (size_t i = 0; i < dataset.count; i++)
        assert_int_equal(dataset.clips[i].part == DV_PART_TEST, dataset.clips[i].index < 5);
    config.validation = 0.2;
    split_into(&dataset, &config, 32, 8, 40); /* 1 of 5 clips of each label and speaker */
    for (int label = 0; label < 4; label++) {
        assert_int_equal(count_where(&dataset, DV_PART_VALIDATION, label, "s0"), 1);
        assert_int_equal(count_where(&dataset, DV_PART_VALIDATION, label, "s1"), 1);
    }
    assert_same_split(&dataset, config, true);
    dv_dataset_free(&dataset);
}

static void random_split(void **state)
{
    make_named(*state, 3);
    dv_dataset dataset;
    open_good(*state, &dataset);
    dv_data_config config = {.split = "random", .test = 0.25, .validation = 0.1, .seed = 7};
    split_into(&dataset, &config, 81, 9, 30);
    for (int label = 0; label < 4; label++) { /* 7.5 and 2.25 of each label, to within one */
        int64_t test = count_where(&dataset, DV_PART_TEST, label, NULL);
        int64_t validation = count_where(&dataset, DV_PART_VALIDATION, label, NULL);
        assert_in_range(test, 7, 8);
        assert_in_range(validation, 2, 3);
    }
    assert_same_split(&dataset, config, true);
    config.test = config.validation = 0.0;
    split_into(&dataset, &config, 120, 0, 0);
    config.test = 0.9;
    split_into(&dataset, &config, 12, 0, 108);
    dv_dataset_free(&dataset);
}

/* Clips of several folders with one name, such as every speaker's 0.wav, are drawn at random, too.
 */
static void equal_names_are_drawn(void **state)
{
    enum { FOLDERS = 50, SEEDS = 40, TEST = 10 };
    char text[FOLDERS * 32] = "path,label\n";
    char path[PATH_SIZE];
    for (int i = 0; i < FOLDERS; i++)
        snprintf(text + strlen(text), 32, "s%02d/0.wav,zero\n", i);
    write_file(*state, "m.csv", text);
    dv_dataset dataset;
    open_good(path_in(*state, "m.csv", path), &dataset);
    dv_data_config config = {.split = "random", .test = (double)TEST / FOLDERS};
    int tested[FOLDERS] = {0};
    for (config.seed = 0; config.seed < SEEDS; config.seed++) {
        split_into(&dataset, &config, FOLDERS - TEST, 0, TEST);
        for (int i = 0; i < FOLDERS; i++)
            tested[i] += dataset.clips[i].part == DV_PART_TEST;
    }
    for (int i = 0; i < FOLDERS; i++)
        assert_in_range(tested[i], 1, SEEDS / 2); /* 8 on average, deviation 2.5 */
    config.seed--;
    assert_same_split(&dataset, config, true);
    dv_dataset_free(&dataset);
}

/* Every clip is drawn equally often, whatever its name or place. */
static void random_split_is_fair(void **state)
{
    enum { SEEDS = 400, CLIPS = 40 };
    make_named(*state, 1);
    dv_dataset dataset;
    open_good(*state, &dataset);
    int drawn[CLIPS] = {0};
    for (int seed = 0; seed < SEEDS; seed++) {
        dv_data_config config = {.split = "random", .test = 0.1, .seed = seed};
        split_into(&dataset, &config, 36, 0, 4);
        for (int i = 0; i < CLIPS; i++)
            drawn[i] += dataset.clips[i].part == DV_PART_TEST;
    }
    for (int i = 0; i < CLIPS; i++)
        assert_in_range(drawn[i], 40 - 30, 40 + 30); /* 5 standard deviations of 6 */
    dv_dataset_free(&dataset);
}

/* New clips change the part of few others, so that few trained clips become test clips. */
static void random_split_stays(void **state)
{
    make_named(*state, 3);
    dv_dataset dataset;
    dv_data_config config = {.split = "random", .test = 0.2, .validation = 0.1, .seed = 5};
    open_good(*state, &dataset);
    split_into(&dataset, &config, 86, 10, 24);
    char *before = parts_of(&dataset);
    dv_dataset_free(&dataset);
    write_file(*state, "0_s0_00.wav", ""); /* these names come first in their labels */
    write_file(*state, "2_r9_0.wav", "");
    open_good(*state, &dataset);
    assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
    char *after = parts_of(&dataset);
    int heard = 0;
    size_t old = 0;
    for (size_t i = 0; i < dataset.count; i++) {
        const char *name = file_name(&dataset.clips[i]);
        if (strcmp(name, "0_s0_00.wav") == 0 || strcmp(name, "2_r9_0.wav") == 0)
            continue;
        heard += before[old++] != 'X' && after[i] == 'X';
    }
    assert_int_equal(old, 120);
    assert_in_range(heard, 0, 2); /* at most one of each label with a new clip */
    free(before);
    free(after);
    dv_dataset_free(&dataset);
}

/* If the share of each label is less than a clip, the labels that give one are drawn, too. */
static void small_labels_have_their_turn(void **state)
{
    enum { LABELS = 4, CLIPS = 12 };
    for (int i = 0; i < CLIPS; i++) {
        char name[64];
        snprintf(name, sizeof name, "%d_s0_%d.wav", i % LABELS, i);
        write_file(*state, name, "");
    }
    dv_dataset dataset;
    open_good(*state, &dataset);
    int drawn[LABELS] = {0};
    for (int seed = 0; seed < 100; seed++) {
        dv_data_config config = {.split = "random", .test = 1.0 / CLIPS, .seed = seed};
        split_into(&dataset, &config, CLIPS - 1, 0, 1);
        for (int label = 0; label < LABELS; label++)
            drawn[label] += (int)count_where(&dataset, DV_PART_TEST, label, NULL);
    }
    for (int label = 0; label < LABELS; label++)
        assert_in_range(drawn[label], 5, 45);
    dv_dataset_free(&dataset);
}

/* Counts the speakers whose clips all lie in one part: whole[p] for part p. */
static void count_speakers(const dv_dataset *dataset, int speakers, int whole[DV_PART_COUNT])
{
    memset(whole, 0, DV_PART_COUNT * sizeof *whole);
    for (int i = 0; i < speakers; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        for (int part = 0; part < DV_PART_COUNT; part++)
            whole[part] += count_where(dataset, (dv_part)part, -1, name) == 40;
    }
}

static void speaker_split(void **state)
{
    int whole[DV_PART_COUNT];
    make_named(*state, 6);
    dv_dataset dataset;
    open_good(*state, &dataset);
    dv_data_config config = {.split = "speaker", .test = 0.3, .validation = 0.2, .seed = 1};
    split_into(&dataset, &config, 120, 40, 80); /* 2 of 6 speakers are tested, 1 of 4 validates */
    count_speakers(&dataset, 6, whole);
    assert_int_equal(whole[DV_PART_TRAIN], 3);
    assert_int_equal(whole[DV_PART_VALIDATION], 1);
    assert_int_equal(whole[DV_PART_TEST], 2);
    char *parts = parts_of(&dataset);
    assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
    char *again = parts_of(&dataset);
    assert_string_equal(parts, again);
    free(parts);
    free(again);
    bool tested[6] = {false};
    for (config.seed = 0; config.seed < 60; config.seed++) {
        assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
        for (int i = 0; i < 6; i++)
            tested[i] = tested[i] || dataset.clips[i * 10].part == DV_PART_TEST;
    }
    for (int i = 0; i < 6; i++)
        assert_true(tested[i]);
    config.test = 0.01; /* at least one */
    split_into(&dataset, &config, 160, 40, 40);
    config.test = 0.9; /* never all; the last one is not held out for validation */
    split_into(&dataset, &config, 32, 8, 200);
    dv_dataset_free(&dataset);
}

static void leave_one_out_split(void **state)
{
    make_named(*state, 4);
    dv_dataset dataset;
    open_good(*state, &dataset);
    dv_data_config config = {.split = "leave_one_out:  s2", .test = 0.5, .validation = 0.1};
    split_into(&dataset, &config, 108, 12, 40);
    assert_int_equal(count_where(&dataset, DV_PART_TEST, -1, "s2"), 40);
    for (int label = 0; label < 4; label++) { /* one of each label and speaker */
        assert_int_equal(count_where(&dataset, DV_PART_VALIDATION, label, "s0"), 1);
        assert_int_equal(count_where(&dataset, DV_PART_VALIDATION, label, "s1"), 1);
        assert_int_equal(count_where(&dataset, DV_PART_VALIDATION, label, "s3"), 1);
    }
    assert_same_split(&dataset, config, true);
    config.validation = 0.0;
    split_into(&dataset, &config, 120, 0, 40);
    assert_same_split(&dataset, config, false);
    dv_dataset_free(&dataset);
}

/* The folds are disjoint, together they are all clips, and each has its share of labels and
   speakers. */
static void folds(void **state)
{
    enum { FOLDS = 5, SPEAKERS = 3 };
    make_named(*state, SPEAKERS);
    dv_dataset dataset;
    open_good(*state, &dataset);
    int tested[120] = {0};
    dv_data_config config = {.test = 0.5, .validation = 0.0};
    for (int fold = 1; fold <= FOLDS; fold++) {
        snprintf(config.split, sizeof config.split, "fold:%d/%d", fold, FOLDS);
        split_into(&dataset, &config, 96, 0, 24);
        for (int i = 0; i < 120; i++)
            tested[i] += dataset.clips[i].part == DV_PART_TEST;
        for (int label = 0; label < 4; label++) {
            for (int speaker = 0; speaker < SPEAKERS; speaker++) {
                char name[16];
                snprintf(name, sizeof name, "s%d", speaker);
                assert_int_equal(count_where(&dataset, DV_PART_TEST, label, name), 2);
            }
        }
    }
    for (int i = 0; i < 120; i++)
        assert_int_equal(tested[i], 1);
    assert_same_split(&dataset, config, true);
    config.validation = 0.25;
    split_into(&dataset, &config, 72, 24, 24);
    dv_dataset_free(&dataset);
}

static void everything_trains(void **state)
{
    make_named(*state, 2);
    dv_dataset dataset;
    open_good(*state, &dataset);
    dv_data_config config = {.split = "train", .test = 0.5, .validation = 0.0};
    split_into(&dataset, &config, 80, 0, 0);
    config.validation = 0.1;
    split_into(&dataset, &config, 72, 8, 0);
    dv_dataset_free(&dataset);
}

/* The tested speakers follow from the names: others do not change the order of 40 speakers by their
   keys, so one more speaker moves at most one. */
static void speakers_do_not_move(void **state)
{
    enum { SPEAKERS = 40 };
    char before[SPEAKERS], name[64];
    dv_dataset dataset;
    dv_data_config config = {.split = "speaker", .test = 0.25, .seed = 5};
    for (int speaker = 0; speaker < SPEAKERS; speaker++) {
        snprintf(name, sizeof name, "1_s%d_0.wav", speaker);
        write_file(*state, name, "");
    }
    open_good(*state, &dataset);
    split_into(&dataset, &config, 30, 0, 10);
    for (int i = 0; i < SPEAKERS; i++)
        before[i] = (char)dataset.clips[i].part;
    dv_dataset_free(&dataset);
    write_file(*state, "1_t0_0.wav", ""); /* last in order; 25 % of 41 are 10, as for 40 */
    open_good(*state, &dataset);
    split_into(&dataset, &config, 31, 0, 10);
    int moved = 0;
    for (int i = 0; i < SPEAKERS; i++)
        moved += before[i] != (char)dataset.clips[i].part;
    assert_in_range(moved, 0, 1);
    dv_dataset_free(&dataset);
}

static void names_of_speakers(void **state)
{
    write_file(*state, "m.csv",
               "path,label,speaker\na.wav,1,bo\nb.wav,1,\nc.wav,2,s10\n"
               "d.wav,2,s9\ne.wav,2,bo\n");
    char path[PATH_SIZE];
    dv_dataset dataset;
    open_good(path_in(*state, "m.csv", path), &dataset);
    const char **names;
    size_t count;
    assert_int_equal(dv_dataset_speakers(&dataset, &names, &count), DV_ECONFIG);
    assert_message("b.wav' has no speaker");
    dv_dataset_free(&dataset);
    write_file(*state, "m.csv",
               "path,label,speaker\na.wav,1,bo\nc.wav,2,s10\nd.wav,2,s9\ne.wav,2,bo\n");
    open_good(path, &dataset);
    assert_int_equal(dv_dataset_speakers(&dataset, &names, &count), DV_OK);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "bo");
    assert_string_equal(names[1], "s9");
    assert_string_equal(names[2], "s10");
    free(names);
    dv_dataset_free(&dataset);
}

static void assert_split_fails(dv_dataset *dataset, const char *split, const char *part)
{
    dv_data_config config = {.test = 0.1, .validation = 0.1};
    snprintf(config.split, sizeof config.split, "%s", split);
    assert_int_equal(dv_dataset_split(dataset, &config), DV_ECONFIG);
    assert_message(part);
}

static void bad_splits(void **state)
{
    make_named(*state, 2);
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_split_fails(&dataset, "oficial", "did you mean 'official'?");
    assert_split_fails(&dataset, "leave_one_uot:s1", "did you mean 'leave_one_out:NAME'?");
    assert_split_fails(&dataset, "xyzzyxyzzy", "known are auto, official, random, speaker");
    assert_split_fails(&dataset, "", "known are");
    assert_split_fails(&dataset, "leave_one_out", "write leave_one_out:NAME");
    assert_split_fails(&dataset, "fold", "write fold:I/K");
    assert_split_fails(&dataset, "train:all", "write train");
    const char *folds[] = {"0/5", "6/5", "1/1", "1", "1/x", "1/5/2", "-1/5", ""};
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
        char split[32];
        snprintf(split, sizeof split, "fold:%s", folds[i]);
        assert_split_fails(&dataset, split, "is not I/K");
    }
    assert_split_fails(&dataset, "fold:1/81", "there are 81 folds for 80 clips");
    assert_split_fails(&dataset, "random:x", "write random");
    assert_split_fails(&dataset, "leave_one_out:", "the speakers are 's0', 's1'");
    assert_split_fails(&dataset, "leave_one_out:S0", "unknown speaker 'S0'; did you mean 's0'?");
    dv_dataset_free(&dataset);
}

static void splits_without_what_they_need(void **state)
{
    make_subfolder(*state, "yes");
    write_file(*state, "yes/ann_1.wav", "");
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_split_fails(&dataset, "official",
                       "these data bring no split: there are no folders train and test, no column "
                       "split and no lists of clips, and the name of '");
    assert_split_fails(&dataset, "speaker", "there is only one speaker, 'ann'");
    dv_dataset_free(&dataset);
    write_file(*state, "yes/plain.wav", "");
    open_good(*state, &dataset);
    assert_split_fails(&dataset, "speaker", "yes/plain.wav' has no speaker");
    assert_split_fails(&dataset, "leave_one_out:", "unknown speaker ''");
    assert_split_fails(&dataset, "leave_one_out:ann", "yes/plain.wav' has no speaker");
    dv_dataset_free(&dataset);
}

static void real_fsdd(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    struct stat info;
    const char *root = getenv("DECAVOX_DATA");
    path_in(root != NULL ? root : "../shared/data", "fsdd", path);
    if (stat(path, &info) != 0) {
        print_message("skipped: no recordings at %s (set DECAVOX_DATA)\n", path);
        skip();
    }
    dv_dataset dataset;
    open_good(path, &dataset);
    assert_int_equal(dataset.count, 3000);
    assert_int_equal(dataset.label_count, 10);
    assert_string_equal(dataset.labels[9], "9");
    assert_string_equal(file_name(&dataset.clips[0]), "0_george_0.wav");
    assert_string_equal(file_name(&dataset.clips[2]), "0_george_2.wav");
    dv_data_config config = {.split = "official", .validation = 0.1};
    split_into(&dataset, &config, 2430, 270, 300);
    for (int label = 0; label < 10; label++)
        assert_int_equal(count_where(&dataset, DV_PART_TEST, label, NULL), 30);
    snprintf(config.split, sizeof config.split, "leave_one_out:theo");
    split_into(&dataset, &config, 2250, 250, 500);
    assert_int_equal(count_where(&dataset, DV_PART_TEST, -1, "theo"), 500);
    assert_split_fails(&dataset, "leave_one_out:nobody", "'george', 'jackson', 'lucas', ");
    dv_dataset_free(&dataset);
}

static dv_tree *parse(const char *text)
{
    dv_tree *tree;
    assert_int_equal(dv_yaml_parse(text, strlen(text), "t.yaml", &tree), DV_OK);
    return tree;
}

static void class_weights(void **state)
{
    (void)state;
    static const int labels[] = {0, 0, 0, 0, 0, 0, 2, 2, 3, 1};
    dv_clip clips[10];
    char *names[] = {"a", "b", "c", "d"};
    dv_dataset data = {.clips = clips, .count = 10, .labels = names, .label_count = 4};
    for (int i = 0; i < 10; i++)
        clips[i] = (dv_clip){.label = labels[i], .part = i < 9 ? DV_PART_TRAIN : DV_PART_TEST};
    dv_tree *balanced = parse("balanced"), *list = parse("[1, 2.5, 1, 1e-3]");
    assert_int_equal(dv_dataset_weigh(&data, balanced), DV_OK);
    const float want[] = {9.0F / 18, 1, 9.0F / 6, 9.0F / 3}; /* label 1 is not trained on */
    float mean = 0;
    for (int k = 0; k < 4; k++)
        assert_true(fabsf(data.class_weights[k] - want[k]) < 1e-6F);
    for (int i = 0; i < 9; i++)
        mean += data.class_weights[labels[i]] / 9;
    assert_true(fabsf(mean - 1) < 1e-6F);
    assert_int_equal(dv_dataset_weigh(&data, list), DV_OK);
    const float scaled = 9 / 8.001F; /* a mean of 1 over six of a, two of c and one of d */
    const float listed[] = {scaled, 2.5F * scaled, scaled, 0.001F * scaled};
    for (int k = 0; k < 4; k++)
        assert_true(fabsf(data.class_weights[k] - listed[k]) < 1e-6F);
    static const char *const bad[][2] = {{"[1, 2]", "2 weights for 4 labels"},
                                         {"[1, 2, 0, 1]", "the weight of 'c'"},
                                         {"[1, 2, 3, x]", "the weight of 'd'"},
                                         {"[1, 1e-50, 3, 1]", "'b' is not a number from 1e-6"},
                                         {"ballanced", "expected none, balanced or a list"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dv_tree *tree = parse(bad[i][0]);
        assert_int_equal(dv_dataset_weigh(&data, tree), DV_ECONFIG);
        assert_message(bad[i][1]);
        dv_tree_free(tree);
    }
    assert_int_equal(dv_dataset_weigh(&data, NULL), DV_OK);
    assert_null(data.class_weights);
    dv_tree_free(balanced);
    dv_tree_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(official_split),
        IN_FOLDER(random_split),
        IN_FOLDER(equal_names_are_drawn),
        IN_FOLDER(random_split_is_fair),
        IN_FOLDER(random_split_stays),
        IN_FOLDER(small_labels_have_their_turn),
        IN_FOLDER(speaker_split),
        IN_FOLDER(leave_one_out_split),
        IN_FOLDER(folds),
        IN_FOLDER(everything_trains),
        IN_FOLDER(speakers_do_not_move),
        IN_FOLDER(names_of_speakers),
        IN_FOLDER(bad_splits),
        IN_FOLDER(splits_without_what_they_need),
        cmocka_unit_test(real_fsdd),
        cmocka_unit_test(class_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
