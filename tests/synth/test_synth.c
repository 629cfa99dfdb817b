/* Synthetic voices. */
#include "frontends/audio/audio.h"
#include "runner/synth/synth.h"
#include "tests/support/dataset_folder.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool installed(void)
{
    char *path = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    bool found = false;
    char *rest = path;
    for (char *folder; !found && (folder = strtok_r(rest, ":", &rest)) != NULL;) {
        char name[600];
        snprintf(name, sizeof name, "%s/espeak-ng", folder);
        found = access(name, X_OK) == 0;
    }
    free(path);
    return found;
}

static void need_espeak(void)
{
    if (installed())
        return;
    print_message("skipped: the program espeak-ng is not installed\n");
    skip();
}

/* Asserts that only sound files are left, and no temporary ones. */
static void assert_only_clips(const char *folder, size_t expected)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *item; (item = readdir(directory)) != NULL;)
        count += strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0;
    closedir(directory);
    assert_int_equal(count, expected);
}

static dv_synth_config make_config(const char *folder)
{
    dv_synth_config config = {
        .voices = 3, .takes = 2, .seed = 4, .sample_rate = 8000, .jobs = 2, .words = "7,yes"};
    snprintf(config.out, sizeof config.out, "%s", folder);
    return config;
}

static void make(const dv_synth_config *config, int64_t expected)
{
    int64_t written;
    if (dv_synth(config, NULL, &written) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(written, expected);
}

static void makes_a_data_set(void **state)
{
    need_espeak();
    dv_synth_config config = make_config(*state);
    make(&config, 12);
    assert_only_clips(*state, 12);
    dv_dataset dataset;
    assert_int_equal(dv_dataset_open(*state, &dataset), DV_OK);
    assert_int_equal(dataset.count, 12);
    assert_int_equal(dataset.label_count, 2);
    assert_string_equal(dataset.labels[0], "7");
    assert_string_equal(dataset.labels[1], "yes");
    for (size_t i = 0; i < dataset.count; i++) {
        dv_audio audio;
        assert_int_equal(dv_audio_read(dataset.clips[i].path, 8000, 10.0, NULL, &audio), DV_OK);
        double peak = 0.0;
        for (int64_t k = 0; k < audio.count; k++)
            peak = fmax(peak, fabs((double)audio.samples[k]));
        assert_in_range(audio.count, 1200, 12000);
        assert_true(peak > 0.05 && peak <= 1.0);
        dv_audio_free(&audio);
    }
    dv_data_config split = {.split = "speaker", .test = 0.3};
    assert_int_equal(dv_dataset_split(&dataset, &split), DV_OK); /* voices are speakers */
    int64_t *indices;
    int64_t count;
    assert_int_equal(dv_dataset_part(&dataset, DV_PART_TEST, &indices, &count), DV_OK);
    assert_int_equal(count, 4);
    free(indices);
    dv_dataset_free(&dataset);
}

/* FNV-1a over the names, within the folder, and the contents of all files in order of name. */
static uint64_t hash_folder(const char *folder)
{
    dv_dataset dataset;
    uint64_t hash = 14695981039346656037U;
    assert_int_equal(dv_dataset_open(folder, &dataset), DV_OK);
    for (size_t i = 0; i < dataset.count; i++) {
        for (const char *c = strrchr(dataset.clips[i].path, '/'); *c != '\0'; c++)
            hash = (hash ^ (uint8_t)*c) * 1099511628211U;
        FILE *file = fopen(dataset.clips[i].path, "rb");
        assert_non_null(file);
        for (int c; (c = fgetc(file)) != EOF;)
            hash = (hash ^ (uint8_t)c) * 1099511628211U;
        fclose(file);
        unlink(dataset.clips[i].path);
    }
    dv_dataset_free(&dataset);
    return hash;
}

static void same_seed_same_bytes(void **state)
{
    need_espeak();
    dv_synth_config config = make_config(*state);
    make(&config, 12);
    uint64_t first = hash_folder(*state);
    config.jobs = 1;
    make(&config, 12);
    uint64_t again = hash_folder(*state);
    config.seed++;
    make(&config, 12);
    uint64_t other = hash_folder(*state);
    assert_true(first == again);
    assert_true(first != other);
}

static void assert_fails(const dv_synth_config *config, dv_status code, const char *part)
{
    int64_t written;
    assert_int_equal(dv_synth(config, NULL, &written), code);
    assert_message(part);
    assert_int_equal(written, 0);
}

static void refusals(void **state)
{
    static const struct {
        const char *words;
        const char *message;
    } cases[] = {
        {"", "1 to 47 letters"},      {"a,,b", "1 to 47 letters"},     {"a,b_c", "'b_c' cannot be"},
        {"../a", "'../a' cannot be"}, {"a,b,a", "'a' is there twice"}, {"-v", "'-v' cannot be"},
    };
    dv_synth_config config = make_config(*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(config.words, sizeof config.words, "%s", cases[i].words);
        assert_fails(&config, DV_ECONFIG, cases[i].message);
    }
    config = make_config(*state);
    config.voices = 4000;
    assert_fails(&config, DV_ECONFIG, "4000 are asked for, and there are 140");
    config = make_config("/dev/null");
    assert_fails(&config, DV_EIO, "/dev/null: is not a folder");
    config = make_config("/nonexistent/folder");
    assert_fails(&config, DV_EIO, "/nonexistent/folder: cannot be made: No such file");
}

static void missing_program_is_named(void **state)
{
    dv_synth_config config = make_config(*state);
    char *path = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    setenv("PATH", "/nonexistent", 1);
    int64_t written;
    dv_status status = dv_synth(&config, NULL, &written);
    if (path != NULL)
        setenv("PATH", path, 1);
    free(path);
    assert_int_equal(status, DV_EIO);
    assert_message("apt-get install espeak-ng");
    assert_only_clips(*state, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(makes_a_data_set),
        IN_FOLDER(same_seed_same_bytes),
        IN_FOLDER(refusals),
        IN_FOLDER(missing_program_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
