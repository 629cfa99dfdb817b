/* Speech Commands: its lists of parts, the words that are kept, and the class of the others. */
#include "engine/base/yaml.h"
#include "frontends/audio/audio.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RATE = 8000, SPEAKERS = 20 };
static const char *const words[] = {"bird", "down", "no", "tree", "up", "yes"};
enum { WORDS = sizeof words / sizeof words[0] };

/* Writes a tone with a period of `period` samples. */
static void write_tone(const char *folder, const char *name, double seconds, int period)
{
    char path[PATH_SIZE];
    int64_t count = (int64_t)(seconds * RATE);
    float *samples = calloc((size_t)count, sizeof *samples);
    assert_non_null(samples);
    for (int64_t i = 0; i < count; i++)
        samples[i] = 0.5F * (float)sin(2 * 3.14159265358979 * (double)(i % period) / period);
    dv_audio audio = {.samples = samples, .count = count, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path_in(folder, name, path), &audio), DV_OK);
    free(samples);
}

/* Makes 6 words by 20 speakers, and two recordings of noise. Speakers 0 to 3 of each word are in
   the list for testing, 4 and 5 in that for validation. Both also name clips that do not exist. */
static void make_commands(const char *folder)
{
    char lists[2][4000] = {"left/s0_nohash_0.wav\n", "left/s4_nohash_0.wav\n"};
    for (int i = 0; i < WORDS * SPEAKERS; i++) {
        int speaker = i % SPEAKERS;
        char name[64];
        if (speaker == 0)
            make_subfolder(folder, words[i / SPEAKERS]);
        snprintf(name, sizeof name, "%s/s%d_nohash_0.wav", words[i / SPEAKERS], speaker);
        write_file(folder, name, "");
        if (speaker < 6)
            strcat(strcat(lists[speaker < 4 ? 0 : 1], name), "\n");
    }
    write_file(folder, "testing_list.txt", lists[0]);
    write_file(folder, "validation_list.txt", lists[1]);
    make_subfolder(folder, "_background_noise_");
    write_tone(folder, "_background_noise_/hum.wav", 12, 8);
    write_tone(folder, "_background_noise_/tap.wav", 40, 8);
}

/* A data set and its configuration. */
typedef struct chosen {
    dv_data_config config;
    dv_tree *tree;
    dv_dataset dataset;
} chosen;

/* Prepares the data of `path`. `text` is the section data in YAML without the path; %s in it stands
   for `path`. */
static dv_status choose(const char *path, const char *text, chosen *out)
{
    char filled[2 * PATH_SIZE];
    snprintf(filled, sizeof filled, text, path);
    assert_int_equal(dv_yaml_parse(filled, strlen(filled), "c.yaml", &out->tree), DV_OK);
    assert_int_equal(dv_fields_read(dv_data_fields, out->tree, "data", &out->config), DV_OK);
    snprintf(out->config.path, sizeof out->config.path, "%s", path);
    return dv_dataset_prepare(&out->config, &out->dataset);
}

static void choose_good(const char *path, const char *text, chosen *out)
{
    if (choose(path, text, out) != DV_OK)
        fail_msg("%s: %s", text, dv_error_message());
}

static void drop(chosen *one)
{
    dv_dataset_free(&one->dataset);
    dv_tree_free(one->tree);
}

static void assert_refused(const char *path, const char *text, dv_status code, const char *part)
{
    chosen one;
    assert_int_equal(choose(path, text, &one), code);
    assert_message(part);
    dv_tree_free(one.tree);
}

static int count_of(const dv_dataset *dataset, dv_part part, const char *label)
{
    int count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        count += clip->part == part && strcmp(dataset->labels[clip->label], label) == 0;
    }
    return count;
}

static void assert_counts(const dv_dataset *dataset, const char *label, int train, int validation,
                          int test)
{
    assert_int_equal(count_of(dataset, DV_PART_TRAIN, label), train);
    assert_int_equal(count_of(dataset, DV_PART_VALIDATION, label), validation);
    assert_int_equal(count_of(dataset, DV_PART_TEST, label), test);
}

static void assert_labels(const dv_dataset *dataset, const char *const *labels)
{
    size_t count = 0;
    for (; labels[count] != NULL; count++)
        assert_string_equal(dataset->labels[count], labels[count]);
    assert_int_equal(dataset->label_count, count);
}

static void lists_are_the_split(void **state)
{
    chosen one;
    make_commands(*state);
    choose_good(*state, "{}", &one);
    for (int i = 0; i < WORDS; i++)
        assert_counts(&one.dataset, words[i], 14, 2, 4);
    for (size_t i = 0; i < one.dataset.count; i++) {
        const dv_clip *clip = &one.dataset.clips[i];
        int speaker = atoi(clip->speaker + 1);
        assert_true(clip->part_given);
        assert_int_equal(clip->part, speaker < 4   ? DV_PART_TEST
                                     : speaker < 6 ? DV_PART_VALIDATION
                                                   : DV_PART_TRAIN);
    }
    assert_int_equal(one.dataset.note_count, 0);
    drop(&one);
}

static void lists_that_do_not_fit(void **state)
{
    char path[PATH_SIZE];
    chosen one;
    make_commands(*state);
    write_file(*state, "validation_list.txt", "yes/s9_nohash_0.wav\nyes/s0_nohash_0.wav\n");
    assert_refused(*state, "{}", DV_EFORMAT, "yes/s0_nohash_0.wav: is in both ");
    assert_message("validation_list.txt");
    write_file(*state, "validation_list.txt", "a/s9.wav\nb/s0.wav\n");
    assert_refused(*state, "{}", DV_EFORMAT,
                   "validation_list.txt: none of its lines, such as 'a/s9.wav', is a clip");
    write_file(*state, "validation_list.txt", "");
    choose_good(*state, "{validation: 0}", &one);
    assert_counts(&one.dataset, "yes", 16, 0, 4);
    drop(&one);
    for (int k = 0; k < 2; k++) { /* one list alone does not make a Speech Commands data set */
        write_file(*state, "validation_list.txt", "");
        write_file(*state, "testing_list.txt", "");
        unlink(path_in(*state, k == 0 ? "validation_list.txt" : "testing_list.txt", path));
        choose_good(*state, "{}", &one);
        assert_false(one.dataset.clips[0].part_given);
        drop(&one);
    }
}

static void kept_words(void **state)
{
    static const char *const labels[] = {"no", "yes", NULL};
    chosen one;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\"]}", &one);
    assert_labels(&one.dataset, labels);
    assert_int_equal(one.dataset.count, 2 * SPEAKERS);
    assert_counts(&one.dataset, "yes", 14, 2, 4);
    assert_counts(&one.dataset, "no", 14, 2, 4);
    for (size_t i = 0; i < one.dataset.count; i++) {
        const dv_clip *clip = &one.dataset.clips[i];
        assert_non_null(strstr(clip->path, one.dataset.labels[clip->label]));
    }
    drop(&one);
}

static void words_that_are_not_there(void **state)
{
    make_commands(*state);
    assert_refused(*state, "{labels: [\"yes\", dawn]}", DV_ECONFIG,
                   "c.yaml:1: data: labels: the data have no word 'dawn'; did you mean 'down'?");
    assert_refused(*state, "{labels: [\"yes\", elephant]}", DV_ECONFIG, "no word 'elephant'");
    assert_refused(*state, "{labels: [up, \"no\", up]}", DV_ECONFIG, "'up' is there twice");
    assert_refused(*state, "{labels: up}", DV_ECONFIG, "labels: expected a list of words");
    assert_refused(*state, "{labels: []}", DV_ECONFIG, "labels: expected a list of words");
    assert_refused(*state, "{labels: [[up], down]}", DV_ECONFIG,
                   "labels: expected a list of words");
    assert_refused(*state, "{labels: [up]}", DV_EFORMAT, "all clips are of one class, 'up'");
    assert_refused(*state, "{unknown: 1}", DV_ECONFIG,
                   "data.unknown needs other words, but every word is kept");
}

/* The number of clips of a class and part that lie in the folder of a word. */
static int count_from(const dv_dataset *dataset, const char *label, dv_part part, const char *word)
{
    int count = 0;
    char folder[64];
    snprintf(folder, sizeof folder, "/%s/", word);
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        count += clip->part == part && strstr(clip->path, folder) != NULL &&
                 strcmp(dataset->labels[clip->label], label) == 0;
    }
    return count;
}

/* The parts have 14, 2 and 4 clips of a kept word. The other 4 words give the requested number of
   clips, each its share to within a clip. */
static void unknown_words(void **state)
{
    static const char *const labels[] = {"_unknown_", "no", "yes", NULL};
    chosen one;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\"], unknown: 1.5}", &one);
    assert_labels(&one.dataset, labels);
    assert_counts(&one.dataset, "_unknown_", 21, 3, 6);
    assert_counts(&one.dataset, "yes", 14, 2, 4);
    for (int i = 0; i < WORDS; i++) {
        bool kept = strcmp(words[i], "yes") == 0 || strcmp(words[i], "no") == 0;
        assert_in_range(count_from(&one.dataset, "_unknown_", DV_PART_TRAIN, words[i]),
                        kept ? 0 : 5, kept ? 0 : 6);
        assert_in_range(count_from(&one.dataset, "_unknown_", DV_PART_TEST, words[i]), kept ? 0 : 1,
                        kept ? 0 : 2);
    }
    assert_int_equal(one.dataset.note_count, 0);
    drop(&one);
}

static void more_unknown_words_than_there_are(void **state)
{
    chosen one;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\", up, down, tree], unknown: 1}", &one);
    assert_counts(&one.dataset, "_unknown_", 14, 2, 4); /* exactly all that there are */
    assert_int_equal(one.dataset.note_count, 0);
    drop(&one);
    choose_good(*state, "{labels: [\"yes\", \"no\", up, down, tree], unknown: 2}", &one);
    assert_counts(&one.dataset, "_unknown_", 14, 2, 4);
    assert_int_equal(one.dataset.note_count, DV_PART_COUNT);
    assert_string_equal(one.dataset.notes[2],
                        "data.unknown asks for 8 clips of the test part, and the words that are "
                        "not kept have 4 there");
    drop(&one);
}

static bool is_drawn(const dv_dataset *dataset, const dv_clip *clip)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (strcmp(dataset->clips[i].path, clip->path) == 0 &&
            dataset->clips[i].start == clip->start)
            return true;
    }
    return false;
}

static int count_common(const dv_dataset *a, const dv_dataset *b)
{
    int count = 0;
    for (size_t i = 0; i < a->count; i++)
        count += is_drawn(b, &a->clips[i]);
    return count;
}

/* The same seed draws the same clips, another seed others. A removed clip changes hardly any. */
static void draws_are_repeatable(void **state)
{
    static const char text[] = "{labels: [\"yes\", \"no\"], unknown: 1, silence: 0.5}";
    char path[PATH_SIZE];
    chosen one, again, other, fewer;
    make_commands(*state);
    choose_good(*state, text, &one);
    choose_good(*state, text, &again);
    choose_good(*state, "{labels: [\"yes\", \"no\"], unknown: 1, silence: 0.5, seed: 1}", &other);
    assert_int_equal(one.dataset.count, 3 * SPEAKERS + SPEAKERS / 2);
    assert_int_equal(count_common(&one.dataset, &again.dataset), one.dataset.count);
    uint64_t fingerprint = dv_dataset_fingerprint(&one.dataset);
    assert_true(dv_dataset_fingerprint(&again.dataset) == fingerprint);
    assert_true(dv_dataset_fingerprint(&other.dataset) != fingerprint);
    assert_in_range(count_common(&one.dataset, &other.dataset), 2 * SPEAKERS, 60);
    assert_int_equal(unlink(path_in(*state, "tree/s7_nohash_0.wav", path)), 0);
    choose_good(*state, text, &fewer);
    assert_in_range(count_common(&one.dataset, &fewer.dataset), one.dataset.count - 3,
                    one.dataset.count);
    drop(&one);
    drop(&again);
    drop(&other);
    drop(&fewer);
}

/* Asserts that no two stretches of different parts have a moment in common. */
static void assert_apart(const dv_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *a = &dataset->clips[i];
        for (size_t k = 0; k < i; k++) {
            const dv_clip *b = &dataset->clips[k];
            if (a->part == b->part || strcmp(a->path, b->path) != 0)
                continue;
            assert_true(fabs(a->start - b->start) >= 1 - 1e-9);
        }
    }
}

static void stretches_of_noise(void **state)
{
    static const char *const labels[] = {"_silence_", "no", "yes", NULL};
    chosen one;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\"], silence: 2}", &one);
    assert_labels(&one.dataset, labels);
    assert_counts(&one.dataset, "_silence_", 28, 4, 8);
    assert_apart(&one.dataset);
    int of_tap = 0;
    for (size_t i = 0; i < one.dataset.count; i++) {
        const dv_clip *clip = &one.dataset.clips[i];
        bool noise = strstr(clip->path, "/_background_noise_/") != NULL;
        assert_int_equal(noise, strcmp(one.dataset.labels[clip->label], "_silence_") == 0);
        assert_true(clip->length == (noise ? 1 : 0));
        if (!noise)
            continue;
        bool tap = strcmp(file_name(clip), "tap.wav") == 0;
        assert_true(clip->start >= 0 && clip->start + 1 <= (tap ? 40 : 12));
        of_tap += tap;
        assert_true(i == 0 || clip[-1].start <= clip->start ||
                    strcmp(clip[-1].path, clip->path) != 0);
    }
    assert_string_equal(file_name(&one.dataset.clips[0]), "hum.wav"); /* in order of path */
    uint64_t before = dv_dataset_fingerprint(&one.dataset);
    one.dataset.clips[0].start += 0.25;
    assert_true(dv_dataset_fingerprint(&one.dataset) != before);
    assert_in_range(of_tap, 28, 37); /* out of 40, as tap.wav has more of 12 and 40 s left */
    const char **names;
    size_t count;
    assert_int_equal(dv_dataset_speakers(&one.dataset, &names, &count), DV_OK);
    assert_int_equal(count, SPEAKERS); /* noise has no speaker */
    free(names);
    drop(&one);
    choose_good(*state, "{silence: 0.5}", &one); /* all words are kept */
    assert_int_equal(one.dataset.label_count, WORDS + 1);
    assert_counts(&one.dataset, "_silence_", 7, 1, 2);
    drop(&one);
}

static void recordings_that_do_not_do(void **state)
{
    char path[PATH_SIZE];
    make_commands(*state);
    assert_int_equal(unlink(path_in(*state, "_background_noise_/tap.wav", path)), 0);
    write_tone(*state, "_background_noise_/hum.wav", 5, 8); /* validation has a tenth */
    assert_refused(*state, "{silence: 1}", DV_ECONFIG,
                   "is long enough: the validation part needs 1 s");
    write_file(*state, "_background_noise_/hum.wav", "no sound");
    assert_refused(*state, "{silence: 1}", DV_EFORMAT, "hum.wav: is a text, not a sound file");
    assert_int_equal(unlink(path_in(*state, "_background_noise_/hum.wav", path)), 0);
    assert_refused(*state, "{silence: 1}", DV_ECONFIG, "no recording in ");
    assert_int_equal(rmdir(path_in(*state, "_background_noise_", path)), 0);
    assert_refused(*state, "{silence: 1}", DV_EIO, "data.silence: ");
    assert_message("_background_noise_: cannot be read: No such file");
}

/* A recording that is also a whole clip has moments of every part, and is refused. */
static void whole_files_and_stretches(void **state)
{
    make_commands(*state);
    write_file(*state, "more.csv", "path,label\n_background_noise_/tap.wav,yes\n");
    assert_refused(*state, "{silence: 1, more: [{path: %s/more.csv, split: train}]}", DV_ECONFIG,
                   "data: one file is in the training part as '");
    assert_message("tap.wav");
}

/* Data for a first training leave out every moment of a later training's tests. */
static void tested_stretches_are_left_out(void **state)
{
    static const char text[] = "{labels: [\"yes\", \"no\"], silence: 1}";
    chosen one, other;
    size_t left;
    make_commands(*state);
    choose_good(*state, text, &one);
    choose_good(*state, text, &other);
    assert_int_equal(dv_dataset_leave_out_tested(&one.dataset, &other.dataset, &left), DV_OK);
    assert_int_equal(left, 3 * (2 + 4));
    assert_counts(&one.dataset, "_silence_", 14, 0, 0);
    assert_counts(&one.dataset, "yes", 14, 0, 0);
    drop(&one);
    drop(&other);
}

static void other_words_of_further_data(void **state)
{
    chosen one;
    make_commands(*state);
    write_file(*state, "more.csv", "path,label\n/m/a.wav,yes\n/m/b.wav,up\n/m/c.wav,zebra\n");
    assert_refused(*state, "{more: [{path: %s/more.csv, split: train}]}", DV_ECONFIG,
                   "the data in data.path have no label 'zebra'");
    choose_good(*state, "{labels: [\"yes\", \"no\"], more: [{path: %s/more.csv, split: train}]}",
                &one);
    assert_counts(&one.dataset, "yes", 15, 2, 4);
    assert_int_equal(one.dataset.label_count, 2);
    drop(&one);
}

/* The fingerprint includes the content of a recording, once for all its stretches. */
static void content_of_recordings(void **state)
{
    uint64_t first, again, changed;
    chosen one;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\"], silence: 1}", &one);
    assert_int_equal(dv_dataset_sound_fingerprint(&one.dataset, "", 1, &first), DV_OK);
    assert_int_equal(dv_dataset_sound_fingerprint(&one.dataset, "", 2, &again), DV_OK);
    write_tone(*state, "_background_noise_/tap.wav", 40, 9);
    assert_int_equal(dv_dataset_sound_fingerprint(&one.dataset, "", 1, &changed), DV_OK);
    assert_true(first == again);
    assert_true(first != changed);
    drop(&one);
}

static void keep_silence(dv_dataset *dataset)
{
    size_t kept = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (clip->length > 0) {
            dataset->clips[kept++] = *clip;
            continue;
        }
        free(clip->path);
        free(clip->speaker);
    }
    dataset->count = kept;
}

static float largest_difference(const dv_clip *a, const dv_clip *b)
{
    float largest = 0;
    for (int64_t i = 0; i < a->count; i++)
        largest = fmaxf(largest, fabsf(a->samples[i] - b->samples[i]));
    return largest;
}

/* The recordings repeat each millisecond, so that all stretches are the same sound, and are longer
   than the limit of a clip. Added noise differs from stretch to stretch. */
static void stretches_are_loaded(void **state)
{
    char path[PATH_SIZE];
    chosen one;
    dv_features_config features;
    dv_frontend *frontend;
    dv_noise_files noises;
    make_commands(*state);
    choose_good(*state, "{labels: [\"yes\", \"no\"], silence: 1, max_seconds: 2}", &one);
    keep_silence(&one.dataset);
    assert_int_equal(dv_fields_default(dv_features_fields, &features), DV_OK);
    assert_int_equal(dv_frontend_create(&features, &frontend), DV_OK);
    assert_int_equal(dv_dataset_load(&one.dataset, frontend, one.config.max_seconds, NULL), DV_OK);
    assert_int_equal(one.dataset.count, SPEAKERS);
    const dv_clip *clips = one.dataset.clips;
    for (size_t i = 0; i < one.dataset.count; i++)
        assert_int_equal(clips[i].count, RATE);
    assert_true(largest_difference(&clips[0], &clips[1]) < 1e-3F);

    int64_t both[] = {0, 1};
    write_tone(*state, "noise.wav", 20, 8009);
    assert_int_equal(dv_noise_files_read(path_in(*state, "noise.wav", path), RATE, &noises), DV_OK);
    assert_int_equal(dv_dataset_give_noises(&one.dataset, both, 2, &noises, 0), DV_OK);
    const dv_noise_mix mix = {.snr = 0, .seed = 0};
    assert_int_equal(dv_dataset_load_noisy(&one.dataset, frontend, 2, &mix, NULL), DV_OK);
    assert_true(largest_difference(&clips[0], &clips[1]) > 1e-2F);
    dv_noise_files_free(&noises);
    dv_frontend_free(frontend);
    drop(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(lists_are_the_split),
        IN_FOLDER(lists_that_do_not_fit),
        IN_FOLDER(kept_words),
        IN_FOLDER(words_that_are_not_there),
        IN_FOLDER(unknown_words),
        IN_FOLDER(more_unknown_words_than_there_are),
        IN_FOLDER(draws_are_repeatable),
        IN_FOLDER(stretches_of_noise),
        IN_FOLDER(recordings_that_do_not_do),
        IN_FOLDER(whole_files_and_stretches),
        IN_FOLDER(tested_stretches_are_left_out),
        IN_FOLDER(other_words_of_further_data),
        IN_FOLDER(content_of_recordings),
        IN_FOLDER(stretches_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
