/* Data sets from folders, and loading with broken files. */
#include "frontends/audio/audio.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void named_files(void **state)
{
    const char *names[] = {"10_ann_2.wav", "2_bob_10.FLAC",   "2_bob_9.ogg", "10_ann_1.Mp3",
                           "2_bob_1.opus", ".2_hidden_1.wav", "notes.txt",   "suspect.csv",
                           "more.txt",     "README"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        write_file(*state, names[i], "");
    make_subfolder(*state, "_background_noise_");
    write_file(*state, "_background_noise_/hum.wav", "");
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_int_equal(dataset.count, 5);
    assert_int_equal(dataset.label_count, 2);
    assert_string_equal(dataset.labels[0], "2"); /* by value: before 10 */
    assert_clip(&dataset, 0, "2_bob_1.opus", "2", "bob", 1);
    assert_clip(&dataset, 1, "2_bob_9.ogg", "2", "bob", 9);
    assert_clip(&dataset, 2, "2_bob_10.FLAC", "2", "bob", 10);
    assert_clip(&dataset, 3, "10_ann_1.Mp3", "10", "ann", 1);
    assert_clip(&dataset, 4, "10_ann_2.wav", "10", "ann", 2);
    assert_int_equal(dataset.note_count, 0);
    assert_int_equal(dataset.left_out.total, 4);
    assert_int_equal(dataset.left_out.count, 2);
    for (int i = 0; i < 2; i++) {
        const dv_file_kind *kind = &dataset.left_out.list[i];
        assert_int_equal(kind->files, strcmp(kind->ending, ".txt") == 0 ? 2 : 1);
    }
    dv_dataset_free(&dataset);
}

static void names_that_do_not_fit(void **state)
{
    const char *names[] = {"yes.wav",       "yes_ann.wav",  "_ann_1.wav",    "yes__1.wav",
                           "yes_ann_x.wav", "yes_ann_.wav", "yes_ann_-1.wav"};
    char path[PATH_SIZE];
    write_file(*state, "no_ann_1.wav", "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        write_file(*state, names[i], "");
        assert_open_fails(*state, DV_EFORMAT, names[i]);
        unlink(path_in(*state, names[i], path));
    }
    make_subfolder(*state, "yes");
    write_file(*state, "yes/a.wav", "");
    assert_open_fails(*state, DV_EFORMAT, "holds both");
    assert_message("no_ann_1.wav");
    assert_message("yes/a.wav");
}

static void class_folders(void **state)
{
    make_subfolder(*state, "two");
    make_subfolder(*state, "one");
    make_subfolder(*state, "docs");
    make_subfolder(*state, ".git");
    make_subfolder(*state, "_background_noise_");
    write_file(*state, "two/ab12_nohash_0.wav", "");
    write_file(*state, "two/x_y_nohash_1.wav", "");
    write_file(*state, "one/carl_1.wav", "");
    write_file(*state, "one/plain.wav", "");
    write_file(*state, "docs/readme.md", "");
    write_file(*state, ".git/a.wav", "");
    write_file(*state, "_background_noise_/hum.wav", "");
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_int_equal(dataset.count, 4);
    assert_int_equal(dataset.label_count, 2);
    assert_clip(&dataset, 0, "carl_1.wav", "one", "carl", -1);
    assert_clip(&dataset, 1, "plain.wav", "one", "", -1);
    assert_clip(&dataset, 2, "ab12_nohash_0.wav", "two", "ab12", -1);
    assert_clip(&dataset, 3, "x_y_nohash_1.wav", "two", "x_y", -1);
    dv_dataset_free(&dataset);
}

/* Writes empty files. `names` ends with NULL. */
static void write_clips(const char *folder, const char *const *names)
{
    for (; *names != NULL; names++) {
        char path[PATH_SIZE];
        path_in(folder, *names, path);
        for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL;) {
            *slash = '\0';
            (void)mkdir(path, 0777);
            *slash++ = '/';
        }
        write_file(folder, *names, "");
    }
}

static void assert_said(const dv_dataset *dataset, const char *label, const char *speaker)
{
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (strcmp(dataset->labels[clip->label], label) == 0 && strcmp(clip->speaker, speaker) == 0)
            return;
    }
    fail_msg("no clip of '%s' by '%s'", label, speaker);
}

/* A folder's files, its layout, and the expected clip. `note` is part of the only note, NULL for no
   note. */
static const struct layout_case {
    const char *names[8];
    dv_folder_layout layout;
    const char *label, *speaker, *note;
    size_t labels;
} layout_cases[] = {
    {{"01/7_01_0.wav", "01/8_01_0.wav", "02/7_02_0.wav"}, DV_FOLDER_AUTO, "7", "02", NULL, 2},
    {{"yes/ann/0.wav", "yes/bob/0.wav", "no/ann/0.wav", "no/bob/0.wav"},
     DV_FOLDER_AUTO,
     "no",
     "bob",
     "data.layout speaker/class",
     2},
    {{"ann/yes/0.wav", "bob/yes/0.wav", "ann/no/0.wav"},
     DV_FOLDER_SPEAKER_CLASS,
     "yes",
     "bob",
     NULL,
     2},
    {{"yes/ann_0.wav", "yes/more/bob_0.wav", "no/ann_0.wav"},
     DV_FOLDER_AUTO,
     "yes",
     "bob",
     "data.layout class/speaker",
     2},
    {{"yes/a/ann_0.wav", "no/b/bob_0.wav"},
     DV_FOLDER_AUTO,
     "no",
     "bob",
     "data.layout class/speaker",
     2},
    {{"yes/yes_0.wav", "no/no_0.wav", "no/no_1.wav"},
     DV_FOLDER_AUTO,
     "yes",
     "",
     "tell no speaker",
     2},
    {{"turn_left_ann_0.wav", "stop_bob_1.wav"}, DV_FOLDER_NAME, "turn", "left_ann", NULL, 2},
    {{"turn_left_ann_0.wav", "stop_bob_1.wav"}, DV_FOLDER_LONG_NAME, "turn_left", "ann", NULL, 2},
    {{"1/ann/yes_7.wav", "2/bob/no_8.wav"}, DV_FOLDER_SPEAKER, "yes", "1", NULL, 2},
    {{"a/yes_ann_0.wav", "no_bob_1.wav"}, DV_FOLDER_NAME, "yes", "ann", NULL, 2},
};

static void layouts(void **state)
{
    for (size_t i = 0; i < sizeof layout_cases / sizeof layout_cases[0]; i++) {
        const struct layout_case *one = &layout_cases[i];
        char name[16], path[PATH_SIZE];
        dv_dataset dataset;
        snprintf(name, sizeof name, "case-%zu", i);
        make_subfolder(*state, name);
        write_clips(path_in(*state, name, path), one->names);
        if (dv_dataset_open_as(path, one->layout, &dataset) != DV_OK)
            fail_msg("case %zu: %s", i, dv_error_message());
        assert_said(&dataset, one->label, one->speaker);
        assert_int_equal(dataset.label_count, one->labels);
        assert_int_equal(dataset.note_count, one->note != NULL ? 1 : 0);
        if (one->note != NULL)
            assert_non_null(strstr(dataset.notes[0], one->note));
        dv_dataset_free(&dataset);
    }
}

static void layouts_that_do_not_fit(void **state)
{
    static const struct {
        const char *names[4];
        dv_folder_layout layout;
        const char *parts[2];
    } cases[] = {
        {{"turn_left_ann_0.wav", "stop_bob_1.wav"},
         DV_FOLDER_AUTO,
         {"'turn' by 'left_ann' (data.layout name)",
          "'turn_left' by 'ann' (data.layout long_name)"}},
        {{"turn_left_ann_0.wav"},
         DV_FOLDER_AUTO,
         {"(data.layout name)", "(data.layout long_name)"}},
        {{"yes/ann_0.wav", "no_bob_1.wav"}, DV_FOLDER_AUTO, {"holds both", "data.layout"}},
        {{"yes/0.wav", "no/bob/1.wav"}, DV_FOLDER_CLASS_SPEAKER, {"yes/0.wav", "class/speaker"}},
        {{"yes_1.wav"}, DV_FOLDER_CLASS, {"yes_1.wav", "data.layout class"}},
        {{"yes/1.wav"}, DV_FOLDER_NAME, {"1.wav", "{label}_{speaker}_{index}"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16], path[PATH_SIZE];
        dv_dataset dataset;
        snprintf(name, sizeof name, "case-%zu", i);
        make_subfolder(*state, name);
        write_clips(path_in(*state, name, path), cases[i].names);
        assert_int_equal(dv_dataset_open_as(path, cases[i].layout, &dataset), DV_EFORMAT);
        for (int k = 0; k < 2; k++)
            assert_message(cases[i].parts[k]);
    }
}

/* Folders at the top may name the parts, in any of the layouts. A class may have such a name. */
static void folders_of_parts(void **state)
{
    static const char *const names[] = {"train/yes_ann_0.wav", "Dev/no_ann_1.wav",
                                        "testing/yes_bob_2.wav", NULL};
    static const char *const classes[] = {"b/train/yes/ann_0.wav", "b/val/no/ann_1.wav",
                                          "b/eval/yes/bob_2.wav", NULL};
    static const char *const words[] = {"c/test/ann_0.wav", "c/yes/ann_1.wav", NULL};
    static const dv_part parts[] = {DV_PART_VALIDATION, DV_PART_TEST, DV_PART_TRAIN};
    dv_data_config config = {.split = "auto", .test = 0.5, .validation = 0.5};
    char path[PATH_SIZE];
    dv_dataset dataset;
    make_subfolder(*state, "a");
    write_clips(path_in(*state, "a", path), names);
    open_good(path, &dataset);
    assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
    for (size_t i = 0; i < dataset.count; i++)
        assert_int_equal(dataset.clips[i].part, parts[i]);
    assert_clip(&dataset, 0, "no_ann_1.wav", "no", "ann", 1);
    assert_int_equal(dataset.note_count, 0);
    strcpy(config.split, "random");
    assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
    assert_int_equal(dataset.note_count, 1);
    assert_non_null(strstr(dataset.notes[0], "not used, since data.split is random"));
    dv_dataset_free(&dataset);

    write_clips(*state, classes);
    open_good(path_in(*state, "b", path), &dataset);
    assert_said(&dataset, "yes", "bob");
    assert_int_equal(dataset.label_count, 2);
    assert_true(dataset.clips[0].part_given);
    dv_dataset_free(&dataset);

    write_clips(*state, words);
    open_good(path_in(*state, "c", path), &dataset);
    assert_said(&dataset, "test", "ann");
    assert_false(dataset.clips[0].part_given);
    dv_dataset_free(&dataset);
}

/* Links that lead back to a folder above are not followed. */
static void folders_in_a_circle(void **state)
{
    static const char *const names[] = {"yes/ann_0.wav", "no/ann_0.wav", NULL};
    char up[PATH_SIZE], same[PATH_SIZE];
    dv_dataset dataset;
    write_clips(*state, names);
    assert_int_equal(symlink("..", path_in(*state, "yes/up", up)), 0);
    assert_int_equal(symlink(".", path_in(*state, "no/same", same)), 0);
    dv_status status = dv_dataset_open(*state, &dataset);
    unlink(up);
    unlink(same);
    assert_int_equal(status, DV_OK);
    assert_int_equal(dataset.count, 2);
    dv_dataset_free(&dataset);
}

/* Data of one class are refused: a model would have 100 % of them right. */
static void one_class(void **state)
{
    static const char *const names[] = {"recordings/0_ann_0.wav", "recordings/1_ann_1.wav", NULL};
    dv_data_config config = {.split = "train"};
    dv_dataset dataset;
    write_clips(*state, names);
    snprintf(config.path, sizeof config.path, "%s", (const char *)*state);
    assert_int_equal(dv_dataset_prepare(&config, &dataset), DV_EFORMAT);
    assert_message("of one class, 'recordings'");
    assert_message("; are the data '");
    assert_message("/recordings'?");
    strcat(config.path, "/recordings");
    assert_int_equal(dv_dataset_prepare(&config, &dataset), DV_OK);
    dv_dataset_free(&dataset);

    static const char *const others[] = {"one/yes/0.wav", "one/yes/1.wav", NULL};
    write_clips(*state, others); /* the folder below does not hold several classes */
    snprintf(config.path, sizeof config.path, "%s/one", (const char *)*state);
    assert_int_equal(dv_dataset_prepare(&config, &dataset), DV_EFORMAT);
    assert_message("of one class, 'yes'");
    assert_null(strstr(dv_error_message(), "are the data"));

    write_file(*state, "a_long_name_of_a_manifest.csv", "path,label\na.wav,yes\nb.wav,yes\n");
    snprintf(config.path, sizeof config.path, "%s/a_long_name_of_a_manifest.csv",
             (const char *)*state);
    assert_int_equal(dv_dataset_prepare(&config, &dataset), DV_EFORMAT);
    assert_message("of one class, 'yes'");

    snprintf(config.path, sizeof config.path, "%s/list.csv", (const char *)*state);
    write_file(*state, "list.csv", "path,label\n/a,yes\n"); /* its clip is not in the same folder */
    assert_int_equal(dv_dataset_prepare(&config, &dataset), DV_EFORMAT);
    assert_message("list.csv: all clips are of one class, 'yes'");
    assert_null(strstr(dv_error_message(), "are the data"));
}

static void bad_paths(void **state)
{
    char path[PATH_SIZE];
    assert_open_fails("", DV_EARG, "data.path");
    assert_open_fails(*state, DV_EFORMAT, "no clip");
    assert_open_fails(path_in(*state, "missing", path), DV_EIO, "missing: No such file");
    write_file(*state, "a_b_1.wav", "");
    assert_open_fails(path_in(*state, "a_b_1.wav", path), DV_EARG, "a sound file");
}

static dv_frontend *make_frontend(void)
{
    dv_features_config config;
    dv_frontend *frontend;
    assert_int_equal(dv_fields_default(dv_features_fields, &config), DV_OK);
    if (dv_frontend_create(&config, &frontend) != DV_OK)
        fail_msg("%s", dv_error_message());
    return frontend;
}

static void write_sound(const char *folder, const char *name, int64_t count)
{
    char path[PATH_SIZE];
    float *samples = calloc((size_t)count, sizeof *samples);
    assert_non_null(samples);
    for (int64_t i = 0; i < count; i++)
        samples[i] = 0.5F * (float)sin(0.4 * (double)i);
    dv_audio audio = {.samples = samples, .count = count, .sample_rate = 8000};
    assert_int_equal(dv_audio_write_wav(path_in(folder, name, path), &audio), DV_OK);
    free(samples);
}

typedef struct messages {
    int count;
    char text[4][PATH_SIZE];
} messages;

static void keep_message(void *user, dv_log_level level, const char *message)
{
    messages *kept = user;
    assert_int_equal(level, DV_LOG_WARNING);
    assert_in_range(kept->count, 0, 3);
    snprintf(kept->text[kept->count++], PATH_SIZE, "%s", message);
}

static void load_leaves_out_broken_files(void **state)
{
    write_sound(*state, "0_ann_0.wav", 3000);
    write_file(*state, "1_ann_0.wav", "not sound at all");
    write_sound(*state, "2_ann_0.wav", 4000);
    write_sound(*state, "2_ann_1.wav", 20000); /* 2.5 s */
    messages kept = {0};
    dv_log log = {keep_message, &kept};
    dv_frontend *frontend = make_frontend();
    dv_dataset dataset;
    open_good(*state, &dataset);
    if (dv_dataset_load(&dataset, frontend, 2.0, &log) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(dataset.count, 2);
    assert_int_equal(dataset.skipped, 2);
    assert_int_equal(dataset.label_count, 3); /* the numbers of labels stay */
    assert_string_equal(file_name(&dataset.clips[0]), "0_ann_0.wav");
    assert_int_equal(dataset.clips[0].count, 3000);
    assert_string_equal(file_name(&dataset.clips[1]), "2_ann_0.wav");
    assert_int_equal(dataset.clips[1].label, 2);
    assert_int_equal(dataset.clips[1].count, 4000);
    assert_in_range(dataset.clips[1].center, 0, 4000);
    assert_int_equal(kept.count, 2);
    assert_non_null(strstr(kept.text[0], "1_ann_0.wav"));
    assert_non_null(strstr(kept.text[1], "2_ann_1.wav"));
    dv_dataset_free(&dataset);
    dv_frontend_free(frontend);
}

/* Files with a size of 0 are read with a remark, and one warning counts them all. */
static void load_counts_what_is_not_in_order(void **state)
{
    static const char *const names[] = {"0_ann_0.wav", "1_ann_0.wav", "1_ann_1.wav"};
    for (int i = 0; i < 3; i++) {
        char path[PATH_SIZE];
        write_sound(*state, names[i], 3000);
        FILE *file = fopen(path_in(*state, names[i], path), "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, 40, SEEK_SET), 0);
        assert_int_equal(i == 0 ? 4 : fwrite("\0\0\0\0", 1, 4, file), 4);
        assert_int_equal(fclose(file), 0);
    }
    messages kept = {0};
    dv_log log = {keep_message, &kept};
    dv_frontend *frontend = make_frontend();
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_int_equal(dv_dataset_load(&dataset, frontend, 2.0, &log), DV_OK);
    assert_int_equal(dataset.count, 3);
    assert_int_equal(dataset.clips[2].count, 3000);
    assert_int_equal(kept.count, 1);
    assert_ptr_equal(strstr(kept.text[0], "2 clips, the first "), kept.text[0]);
    assert_non_null(strstr(kept.text[0], "1_ann_0.wav: the header says 0 bytes"));
    dv_dataset_free(&dataset);
    dv_frontend_free(frontend);
}

/* If the system opens no more files, the clips are not to blame and none is left out. */
static void load_ends_with_the_system(void **state)
{
    struct rlimit before, none;
    dv_frontend *frontend = make_frontend();
    dv_dataset dataset;
    write_sound(*state, "0_ann_0.wav", 3000);
    write_sound(*state, "1_ann_0.wav", 3000);
    open_good(*state, &dataset);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dv_status status = dv_dataset_load(&dataset, frontend, 2.0, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, DV_ESYSTEM);
    assert_message("0_ann_0.wav: cannot be opened: Too many open files");
    assert_int_equal(dataset.count, 2);
    assert_int_equal(dataset.skipped, 0);
    dv_dataset_free(&dataset);
    dv_frontend_free(frontend);
}

static void load_fails_where_none_is_left(void **state)
{
    write_file(*state, "1_ann_0.wav", "not sound at all");
    write_file(*state, "1_ann_1.wav", "");
    dv_frontend *frontend = make_frontend();
    dv_dataset dataset;
    open_good(*state, &dataset);
    assert_int_equal(dv_dataset_load(&dataset, frontend, 2.0, NULL), DV_EFORMAT);
    assert_message("none of the 2 clips can be read");
    assert_message("1_ann_0.wav");
    assert_int_equal(dataset.count, 0);
    dv_dataset_free(&dataset);
    dv_frontend_free(frontend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(named_files),
        IN_FOLDER(names_that_do_not_fit),
        IN_FOLDER(class_folders),
        IN_FOLDER(layouts),
        IN_FOLDER(layouts_that_do_not_fit),
        IN_FOLDER(folders_of_parts),
        IN_FOLDER(folders_in_a_circle),
        IN_FOLDER(one_class),
        IN_FOLDER(bad_paths),
        IN_FOLDER(load_leaves_out_broken_files),
        IN_FOLDER(load_counts_what_is_not_in_order),
        IN_FOLDER(load_ends_with_the_system),
        IN_FOLDER(load_fails_where_none_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
