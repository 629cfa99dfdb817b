/* Findings about data: each fault, planted alone, gives one finding, and without a fault there is
   none. */
#include "frontends/dataset/look_internal.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const dv_look_config config = {
    .sample_rate = 8000, .duration = 1, .max_seconds = 30, .batch_size = 4, .accumulate = 1};

/* Makes clips of two classes by two speakers, as if they were loaded: 8 for training, 4 for
   testing. */
static void make_clean(dv_dataset *dataset)
{
    static const char *const speakers[] = {"ann", "bob"};
    static const char *const labels[] = {"no", "yes"};
    *dataset = (dv_dataset){.count = 12, .label_count = 2};
    dataset->clips = calloc(dataset->count, sizeof *dataset->clips);
    dataset->labels = calloc(3, sizeof *dataset->labels); /* with room for one more */
    assert_true(dataset->clips != NULL && dataset->labels != NULL);
    for (size_t i = 0; i < dataset->label_count; i++)
        dataset->labels[i] = strdup(labels[i]);
    for (size_t i = 0; i < dataset->count; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "d/%s_%s_%zu.wav", labels[i % 2], speakers[i / 2 % 2], i);
        dataset->clips[i] = (dv_clip){
            .path = strdup(path),
            .speaker = strdup(speakers[i / 2 % 2]),
            .label = (int)(i % 2),
            .part = i < 8 ? DV_PART_TRAIN : DV_PART_TEST,
            .sound = {.sample_rate = 8000, .frames = 8000, .channels = 1, .peak = 0.5, .rms = 0.1},
            .content = 100 + i,
        };
    }
}

static void rename_text(char **text, const char *to)
{
    free(*text);
    *text = strdup(to);
}

static void plant_note(dv_dataset *dataset)
{
    assert_int_equal(dv__note(dataset, "d is read as %s", "a"), DV_OK);
}

static void plant_unreadable(dv_dataset *dataset)
{
    dataset->problems = calloc(1, sizeof *dataset->problems);
    assert_non_null(dataset->problems);
    dataset->problems[dataset->skipped++] = strdup("d/x.wav: is damaged");
}

static void plant_left_out(dv_dataset *dataset)
{
    dataset->left_out = (dv_file_kinds){
        .list = {{".m4a", 2}, {".md", 1}, {".AMR", 1}, {".txt", 5}}, .count = 4, .total = 9};
}

static void plant_not_trained(dv_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].label == 1)
            dataset->clips[i].part = DV_PART_TEST;
    }
}

/* A class without any clip is one finding. */
static void plant_without_clips(dv_dataset *dataset)
{
    dataset->labels[dataset->label_count++] = strdup("maybe");
}

static void plant_not_tested(dv_dataset *dataset)
{
    dataset->clips[9].label = dataset->clips[11].label = 0;
}

static void plant_case(dv_dataset *dataset)
{
    rename_text(&dataset->labels[0], "Yes");
}

static void plant_nfd(dv_dataset *dataset)
{
    rename_text(&dataset->labels[0], "sen\xCC\x83"
                                     "al");
    rename_text(&dataset->labels[1], "se\xC3\xB1"
                                     "al");
}

static void plant_speaker_is_class(dv_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++)
        rename_text(&dataset->clips[i].speaker, dataset->clips[i].label == 0 ? "ann" : "bob");
}

static void plant_same_in_labels(dv_dataset *dataset)
{
    dataset->clips[1].content = dataset->clips[0].content;
}

static void plant_same_in_parts(dv_dataset *dataset)
{
    dataset->clips[10].content = dataset->clips[0].content;
}

static void plant_same_in_part(dv_dataset *dataset)
{
    dataset->clips[2].content = dataset->clips[4].content = dataset->clips[0].content;
    dataset->clips[3].content = dataset->clips[1].content;
}

/* Silent clips have the same content, and are found once, as silent. */
static void plant_silent(dv_dataset *dataset)
{
    for (size_t i = 0; i < 3; i++) {
        dataset->clips[i].sound.peak = 0.0009;
        dataset->clips[i].content = 7;
    }
}

static void plant_clipped(dv_dataset *dataset)
{
    dataset->clips[5].sound.clipped = 0.002;
}

static void plant_cancelled(dv_dataset *dataset)
{
    dataset->clips[5].sound.remarks = dataset->clips[6].sound.remarks = 1U << DV_AUDIO_CANCELLED;
}

static void plant_not_in_order(dv_dataset *dataset)
{
    dataset->clips[5].sound.remarks = 1U << DV_AUDIO_SIZE_0;
}

static void plant_long(dv_dataset *dataset)
{
    dataset->clips[3].sound.frames = 8100;
    dataset->clips[5].sound.frames = 12000;
    dataset->clips[6].sound.frames = 8001; /* only rounding */
}

static void plant_higher_rate(dv_dataset *dataset)
{
    dataset->clips[5].sound.sample_rate = 48000;
    dataset->clips[6].sound.sample_rate = 16000;
}

static void plant_lower_rate(dv_dataset *dataset)
{
    dataset->clips[5].sound.sample_rate = 7999;
    dataset->clips[6].sound.sample_rate = 4000;
    dataset->clips[6].sound.frames = 4000;
    dataset->clips[5].sound.frames = 4000;
}

/* Leaves 3 of 8 for training. */
static void plant_batch_cut(dv_dataset *dataset)
{
    for (size_t i = 3; i < 8; i++)
        dataset->clips[i].part = DV_PART_TEST;
}

/* Leaves 6 of 8 for training, of which 2 fill no batch of 4. */
static void plant_dropped(dv_dataset *dataset)
{
    dataset->clips[6].part = dataset->clips[7].part = DV_PART_VALIDATION;
}

static const struct fault {
    dv_finding_kind kind;
    void (*plant)(dv_dataset *dataset);
    size_t count;
    const char *parts[3]; /* parts of the sentence */
    int examples;
} faults[] = {
    {DV_FINDING_NOTE, plant_note, 1, {"d is read as a"}, 0},
    {DV_FINDING_UNREADABLE, plant_unreadable, 1, {"1 file cannot", "d/x.wav: is damaged"}, 0},
    {DV_FINDING_LEFT_OUT, plant_left_out, 3, {"3 files", ": 2 .m4a, 1 .AMR;"}, 0},
    {DV_FINDING_NOT_TRAINED, plant_not_trained, 1, {"1 class has", "'yes'"}, 0},
    {DV_FINDING_NOT_TRAINED, plant_without_clips, 1, {"1 class has", "'maybe'"}, 0},
    {DV_FINDING_NOT_TESTED, plant_not_tested, 1, {"1 class has", "'yes'"}, 0},
    {DV_FINDING_ALIKE, plant_case, 2, {"'Yes' and 'yes'"}, 0},
    {DV_FINDING_ALIKE,
     plant_nfd,
     2,
     {"alike",
      "sen\xCC\x83"
      "al'",
      "'se\xC3\xB1"
      "al'"},
     0},
    {DV_FINDING_SPEAKER_IS_CLASS, plant_speaker_is_class, 2, {"'ann' says 'no'"}, 0},
    {DV_FINDING_SAME_IN_LABELS,
     plant_same_in_labels,
     1,
     {"1 sound is there in two classes", "'d/no_ann_0.wav' (no) and 'd/yes_ann_1.wav' (yes)"},
     2},
    {DV_FINDING_SAME_IN_PARTS,
     plant_same_in_parts,
     1,
     {"in two parts", "'d/no_ann_0.wav' (training) and 'd/no_bob_10.wav' (test)"},
     2},
    {DV_FINDING_SAME_IN_PART,
     plant_same_in_part,
     2,
     {"2 sounds are there more than once", "the first, 'd/no_ann_0.wav' and 'd/no_bob_2.wav'"},
     2},
    {DV_FINDING_SILENT,
     plant_silent,
     3,
     {"3 clips are silent: ", "_0.wav', 'd/yes_ann_1.wav' and 1 more"},
     2},
    {DV_FINDING_CLIPPED, plant_clipped, 1, {"1 clip is clipped: 'd/yes_ann_5.wav'"}, 1},
    {DV_FINDING_CANCELLED, plant_cancelled, 2, {"2 clips", "d/yes_ann_5.wav", "cancel"}, 1},
    {DV_FINDING_NOT_IN_ORDER, plant_not_in_order, 1, {"1 clip", "the header says 0 bytes"}, 1},
    {DV_FINDING_LONG, plant_long, 2, {"2 clips", "the 1 s", "1.50 s: 'd/yes_ann_5.wav'"}, 1},
    {DV_FINDING_HIGHER_RATE, plant_higher_rate, 2, {"2 clips", "48000 Hz ('d/yes_ann_5.wav')"}, 1},
    {DV_FINDING_LOWER_RATE, plant_lower_rate, 2, {"2 clips", "4000 Hz ('d/no_bob_6.wav')"}, 1},
    {DV_FINDING_BATCH_CUT, plant_batch_cut, 3, {"batch_size is 4", "3 clips"}, 0},
    {DV_FINDING_DROPPED, plant_dropped, 2, {"2 of the 6 training clips (33 %)"}, 0},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static void find(const dv_dataset *dataset, dv_look *look)
{
    if (dv_look_find(dataset, &config, look) != DV_OK)
        fail_msg("%s", dv_error_message());
}

static void nothing_is_found_where_nothing_is(void **state)
{
    (void)state;
    dv_dataset dataset;
    dv_look look;
    make_clean(&dataset);
    dataset.left_out = (dv_file_kinds){.list = {{".md", 1}, {".txt", 2}}, .count = 2, .total = 4};
    find(&dataset, &look);
    if (look.count > 0)
        fail_msg("%s", look.findings[0].text);
    assert_int_equal(dv_look_fail(&look), DV_OK);
    dv_look_free(&look);
    dv_dataset_free(&dataset);
}

static void each_fault_is_found_once(void **state)
{
    (void)state;
    for (int i = 0; i < FAULTS; i++) {
        const struct fault *fault = &faults[i];
        dv_dataset dataset;
        dv_look look;
        make_clean(&dataset);
        fault->plant(&dataset);
        find(&dataset, &look);
        if (look.count != 1)
            fail_msg("%s: %zu findings", dv_finding_name(fault->kind), look.count);
        const dv_finding *finding = &look.findings[0];
        assert_string_equal(dv_finding_name(finding->kind), dv_finding_name(fault->kind));
        assert_int_equal(finding->count, fault->count);
        assert_int_equal(finding->example_count, fault->examples);
        for (int k = 0; k < 3 && fault->parts[k] != NULL; k++) {
            if (strstr(finding->text, fault->parts[k]) == NULL)
                fail_msg("'%s' has no '%s'", finding->text, fault->parts[k]);
        }
        assert_int_equal(dv_look_fail(&look), DV_EFORMAT);
        assert_message("1 finding in the data");
        dv_look_free(&look);
        dv_dataset_free(&dataset);
    }
}

/* Speakers of one clip each, as in collections from many people, give no finding. */
static void speakers_of_one_clip_say_nothing(void **state)
{
    (void)state;
    dv_dataset dataset;
    dv_look look;
    make_clean(&dataset);
    for (size_t i = 0; i < dataset.count; i++) {
        char name[32];
        snprintf(name, sizeof name, "speaker %zu", i);
        rename_text(&dataset.clips[i].speaker, name);
    }
    find(&dataset, &look);
    assert_int_equal(look.count, 0);
    dv_look_free(&look);
    dv_dataset_free(&dataset);
}

/* The table above plants every kind of finding. */
static void every_kind_is_tested(void **state)
{
    (void)state;
    for (int kind = 0; kind < DV_FINDING_KINDS; kind++) {
        bool planted = false;
        for (int i = 0; i < FAULTS; i++)
            planted = planted || faults[i].kind == (dv_finding_kind)kind;
        if (!planted)
            fail_msg("'%s' is not planted", dv_finding_name((dv_finding_kind)kind));
    }
}

/* All faults at once are found in the order of the kinds. */
static void findings_are_in_order(void **state)
{
    (void)state;
    dv_dataset dataset;
    dv_look look;
    make_clean(&dataset);
    for (int i = 0; i < FAULTS; i++)
        faults[i].plant(&dataset);
    find(&dataset, &look);
    assert_true(look.count > 10);
    for (size_t i = 1; i < look.count; i++)
        assert_true(look.findings[i].kind >= look.findings[i - 1].kind);
    dv_look_free(&look);
    dv_dataset_free(&dataset);
}

static void which_labels_are_alike(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool alike;
    } pairs[] = {
        {"Ja", "jA", true},
        {"ja", "je", false},
        {"\xC3\x89", "e\xCC\x81", true},                 /* U+00C9, e U+0301 */
        {"\xC5\xBE", "Z\xCC\x8C", true},                 /* U+017E */
        {"\xC4\xB0", "i\xCC\x87", true},                 /* U+0130 */
        {"\xC5\x91", "o\xCC\x8B", true},                 /* U+0151 */
        {"\xC3\xA7", "c\xCC\xA7", true},                 /* U+00E7 */
        {"\xC4\x85", "a\xCC\xA8", true},                 /* U+0105 */
        {"sch\xC3\xB6n", "schon", false},                /* U+00F6 */
        {"\xC3\xB6", "o\xCC\x81", false},                /* another mark */
        {"\xC5\x82", "l", false},                        /* U+0142 is a letter of its own */
        {"\xD0\xB4\xD0\xB0", "\xD0\xBD\xD0\xB5", false}, /* Cyrillic */
        {"\xC3", "\xC3", true},                          /* not UTF-8 */
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *one, *other;
        assert_int_equal(dv__label_key(pairs[i].one, &one), DV_OK);
        assert_int_equal(dv__label_key(pairs[i].other, &other), DV_OK);
        if ((strcmp(one, other) == 0) != pairs[i].alike)
            fail_msg("'%s' and '%s'", pairs[i].one, pairs[i].other);
        free(one);
        free(other);
    }
}

static void count_line(void *user, dv_log_level level, const char *message)
{
    assert_int_equal(level, DV_LOG_WARNING);
    assert_non_null(message);
    ++*(int *)user;
}

/* Files that cannot be read are named one by one, and the rest is one line each. */
static void what_is_logged(void **state)
{
    (void)state;
    int lines = 0;
    dv_log log = {count_line, &lines};
    dv_dataset dataset;
    dv_look look;
    make_clean(&dataset);
    dataset.problems = calloc(2, sizeof *dataset.problems);
    assert_non_null(dataset.problems);
    dataset.problems[0] = strdup("d/x.wav: is damaged");
    dataset.problems[1] = strdup("d/y.wav: is damaged");
    dataset.skipped = 2;
    plant_silent(&dataset);
    find(&dataset, &look);
    assert_int_equal(look.count, 2);
    dv_look_log(&look, &dataset, &log);
    assert_int_equal(lines, 3);
    dv_look_free(&look);
    dv_dataset_free(&dataset);
}

/* ---- Files ---- */

/* Writes a sine of 0.5 whose `flat` samples behind the 10th are `level`. */
static void write_flat(const char *folder, const char *name, int flat, float level)
{
    float samples[1000];
    char path[PATH_SIZE];
    for (int i = 0; i < 1000; i++)
        samples[i] = i > 10 && i <= 10 + flat ? level : 0.5F * (float)sin(0.4 * i);
    const dv_audio audio = {.samples = samples, .count = 1000, .sample_rate = 4000};
    assert_int_equal(dv_audio_write_wav(path_in(folder, name, path), &audio), DV_OK);
}

/* Findings are about the files, not about the sounds at the model's rate. Copies are found by their
   bytes, and no sound is kept. */
static void files_are_looked_at(void **state)
{
    write_flat(*state, "a_ann_0.wav", 2, 1); /* two samples are a peak, not a run */
    write_flat(*state, "a_ann_1.wav", 3, -1);
    write_flat(*state, "b_bob_0.wav", 0, 1);
    write_flat(*state, "b_ann_1.wav", 0, 1);
    write_flat(*state, "b_ann_2.wav", 40, 0.97F);
    write_file(*state, "b_bob_2.wav", "no sound");
    dv_dataset dataset;
    dv_look look;
    open_good(*state, &dataset);
    if (dv_dataset_look(&dataset, NULL, &config, NULL, &look) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(dataset.count, 5);
    for (size_t i = 0; i < dataset.count; i++) {
        const dv_clip *clip = &dataset.clips[i];
        assert_null(clip->samples);
        assert_int_equal(clip->sound.sample_rate, 4000);
        assert_int_equal(clip->sound.frames, 1000);
        assert_int_equal(clip->sound.channels, 1);
        assert_true(clip->sound.rms > 0.3 && clip->sound.rms < 0.5);
        bool clipped = strcmp(file_name(clip), "a_ann_1.wav") == 0;
        assert_true(fabs(clip->sound.clipped - (clipped ? 0.003 : 0)) < 1e-9);
    }
    static const dv_finding_kind kinds[] = {DV_FINDING_UNREADABLE, DV_FINDING_SAME_IN_PART,
                                            DV_FINDING_CLIPPED, DV_FINDING_LOWER_RATE};
    assert_int_equal(look.count, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(dv_finding_name(look.findings[i].kind), dv_finding_name(kinds[i]));
    dv_look_free(&look);
    dv_dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_where_nothing_is),
        cmocka_unit_test(each_fault_is_found_once),
        cmocka_unit_test(speakers_of_one_clip_say_nothing),
        cmocka_unit_test(every_kind_is_tested),
        cmocka_unit_test(findings_are_in_order),
        cmocka_unit_test(which_labels_are_alike),
        cmocka_unit_test(what_is_logged),
        IN_FOLDER(files_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
