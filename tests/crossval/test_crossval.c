/* Plans of cross-validation, and summaries of invented reports with known answers. */
#include "runner/crossval/crossval.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FOLDS = 2, SEEDS = 2, RUNS = 4 };

/* Two folds and two seeds. The runs' folders lie in the test's folder. */
typedef struct made_up {
    dv_crossval all;
    dv_crossval_run runs[RUNS];
    char *folds[FOLDS];
    int64_t seeds[SEEDS];
    char ann[8], bob[8];
    char folders[RUNS][PATH_SIZE];
} made_up;

static void make(const char *folder, made_up *m)
{
    static const char *const names[] = {"ann-seed-1", "bob-seed-1", "ann-seed-7", "bob-seed-7"};
    memset(m, 0, sizeof *m);
    strcpy(m->ann, "ann");
    strcpy(m->bob, "bob");
    m->folds[0] = m->ann;
    m->folds[1] = m->bob;
    m->seeds[0] = 1;
    m->seeds[1] = 7;
    for (size_t i = 0; i < RUNS; i++) {
        make_subfolder(folder, names[i]);
        path_in(folder, names[i], m->folders[i]);
        m->runs[i] =
            (dv_crossval_run){.fold = i % FOLDS, .seed = i / FOLDS, .folder = m->folders[i]};
    }
    m->all = (dv_crossval){.lock = -1,
                           .by_speaker = true,
                           .folds = m->folds,
                           .seeds = m->seeds,
                           .runs = m->runs,
                           .fold_count = FOLDS,
                           .seed_count = SEEDS,
                           .run_count = RUNS,
                           .clips = 30,
                           .model = "tiny"};
}

/* Writes a run's report on the words no and yes, with `a` of `na` and `b` of `nb` right. */
static void write_counts(const made_up *m, int run, int a, int na, int b, int nb, const char *more)
{
    char text[3000];
    snprintf(text, sizeof text,
             "{\"accuracy\": 0, \"correct\": %d, \"count\": %d, \"loss\": 0.%d,"
             " \"classes\": [{\"label\": \"no\"}, {\"label\": \"yes\"}],"
             " \"confusion\": [[%d, %d], [%d, %d]]%s}",
             a + b, na + nb, run + 1, a, na - a, nb - b, b, more);
    write_file(m->folders[run], "report.json", text);
}

enum { BINS_SIZE = 2500, LOW = 5, HIGH = 13 };

/* Writes `bins` bins. Bins LOW (of 15 bins 0.33 to 0.4) and HIGH hold 5 answers each, with the
   accuracies `low` and `high`. */
static const char *write_bins(int bins, double low, double high, char text[BINS_SIZE])
{
    int length = snprintf(text, BINS_SIZE, ", \"calibration\": {\"ece\": 0.5, \"bins\": [");
    for (int m = 0; m < bins; m++)
        length += snprintf(text + length, (size_t)(BINS_SIZE - length),
                           "%s{\"low\": %.17g, \"high\": %.17g, \"count\": %d, "
                           "\"confidence\": %.1f, \"accuracy\": %.1f}",
                           m > 0 ? ", " : "", (double)m / bins, (m + 1.0) / bins,
                           m == LOW || m == HIGH ? 5 : 0,
                           m == LOW    ? 0.4
                           : m == HIGH ? 0.9
                                       : 0.0,
                           m == LOW    ? low
                           : m == HIGH ? high
                                       : 0.0);
    snprintf(text + length, (size_t)(BINS_SIZE - length), "]}");
    return text;
}

/* Writes reports with 9 and 8 of ann's 10 clips right, and 14 and 12 of bob's 20. */
static void write_all(const made_up *m)
{
    write_counts(m, 0, 5, 5, 4, 5, "");
    write_counts(m, 1, 6, 10, 8, 10, "");
    write_counts(m, 2, 3, 5, 5, 5, "");
    write_counts(m, 3, 2, 10, 10, 10, "");
}

static void near(double got, double want)
{
    if (!(fabs(got - want) < 1e-9))
        fail_msg("%.12g is not %.12g", got, want);
}

static void summarize(const made_up *m, dv_crossval_summary *summary)
{
    if (dv_crossval_summarize(&m->all, summary) != DV_OK)
        fail_msg("%s", dv_error_message());
}

static void known_answers(void **state)
{
    made_up m;
    dv_crossval_summary s;
    make(*state, &m);
    write_all(&m);
    summarize(&m, &s);
    assert_int_equal(s.finished, 4);
    near(s.results[1].accuracy, 0.7);
    near(s.runs.mean, 0.75); /* the runs have 0.9, 0.7, 0.8, 0.6 */
    near(s.seeds[0].mean, 0.8);
    near(s.seeds[1].mean, 0.7);
    near(s.over_seeds.deviation, 0.1 / sqrt(2));
    near(s.over_folds.deviation, 0.2 / sqrt(2)); /* the folds have 0.85 and 0.65 */
    near(s.folds[0].mean, 0.85);
    near(s.folds[1].mean, 0.65);
    near(s.folds[0].deviation, 0.1 / sqrt(2));
    assert_int_equal(s.worst, 1);
    assert_int_equal(s.correct, 43); /* over clips, so bob's count more */
    assert_int_equal(s.count, 60);
    assert_int_equal(s.clips, 30); /* both seeds answer the same clips */
    near(s.low, 0.538272169945);   /* interval for 21.5 of 30 */
    near(s.high, 0.845872026347);
    near(s.loss, (0.1 * 10 + 0.2 * 20 + 0.3 * 10 + 0.4 * 20) / 60);
    assert_int_equal(s.confusion.counts[0], 16);
    assert_int_equal(s.confusion.counts[1], 14);
    assert_int_equal(s.confusion.counts[2], 3);
    assert_int_equal(s.confusion.counts[3], 27);
    assert_string_equal(s.labels[1], "yes");
    assert_false(s.has_calibration);
    dv_crossval_summary_free(&s);
}

static void json_and_text(void **state)
{
    made_up m;
    dv_crossval_summary s;
    make(*state, &m);
    write_all(&m);
    summarize(&m, &s);
    json_t *json = dv_crossval_json(&m.all, &s);
    assert_non_null(json);
    near(json_number_value(json_object_get(json, "accuracy")), 0.75);
    near(json_number_value(json_object_get(json, "deviation_over_seeds")), 0.1 / sqrt(2));
    near(json_number_value(json_object_get(json, "deviation_over_folds")), 0.2 / sqrt(2));
    assert_true(json_is_true(json_object_get(json, "complete")));
    assert_true(json_is_null(json_object_get(json, "parameters")));
    json_t *worst = json_object_get(json, "worst_fold");
    assert_string_equal(json_string_value(json_object_get(worst, "fold")), "bob");
    json_t *pooled = json_object_get(json, "pooled");
    near(json_number_value(json_object_get(pooled, "accuracy")), 43.0 / 60);
    assert_int_equal(json_integer_value(json_object_get(pooled, "clips")), 30);
    json_t *interval = json_object_get(pooled, "interval_95");
    near(json_number_value(json_array_get(interval, 0)), 0.538272169945);
    json_t *row = json_array_get(json_object_get(pooled, "confusion"), 1);
    assert_int_equal(json_integer_value(json_array_get(row, 0)), 3);
    assert_int_equal(json_array_size(json_object_get(json, "failed")), 0);
    assert_int_equal(json_array_size(json_object_get(json, "runs")), 4);
    json_t *last = json_array_get(json_object_get(json, "runs"), 3);
    near(json_number_value(json_object_get(last, "accuracy")), 0.6);
    assert_int_equal(json_integer_value(json_object_get(last, "seed")), 7);
    json_decref(json);

    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    dv_crossval_text(&m.all, &s, stream);
    fclose(stream);
    static const char *const parts[] = {"75.00%",
                                        "deviation over seeds 7.07%, over folds 14.14%\n",
                                        "\ndeviation            14.14%     14.14%     14.14%\n",
                                        "worst fold bob: 65.00%",
                                        "43 of 60; on 30 clips 95% interval 53.83% to 84.59%",
                                        "4 of 4 runs\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(text, parts[i]) == NULL)
            fail_msg("no '%s' in:\n%s", parts[i], text);
    }
    free(text);
    dv_crossval_summary_free(&s);
}

/* Without bob's run the mean of the second seed would be ann's alone, so it is not used. */
static void incomplete(void **state)
{
    made_up m;
    dv_crossval_summary s;
    char path[PATH_SIZE], error[] = "out of luck";
    make(*state, &m);
    write_all(&m);
    assert_int_equal(unlink(path_in(m.folders[3], "report.json", path)), 0);
    m.runs[3].error = error;
    summarize(&m, &s);
    assert_int_equal(s.finished, 3);
    assert_false(s.results[3].finished);
    near(s.runs.mean, 0.8);
    near(s.folds[1].mean, 0.7);
    assert_true(isnan(s.folds[1].deviation));
    assert_int_equal(s.over_seeds.count, 1);
    assert_true(isnan(s.over_seeds.deviation));
    near(s.over_folds.deviation, 0.15 / sqrt(2)); /* the folds have 0.85 and 0.7 */
    assert_int_equal(s.clips, 30);
    json_t *json = dv_crossval_json(&m.all, &s);
    assert_true(json_is_false(json_object_get(json, "complete")));
    assert_true(json_is_null(json_object_get(json, "deviation_over_seeds")));
    json_t *failed = json_object_get(json, "failed");
    assert_int_equal(json_array_size(failed), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(failed, 0), "error")),
                        error);
    json_decref(json);
    dv_crossval_summary_free(&s);
    /* A malformed report is left out, too. */
    write_file(m.folders[3], "report.json", "{");
    summarize(&m, &s);
    assert_int_equal(s.finished, 3);
    dv_crossval_summary_free(&s);
}

static void a_fold_without_runs_is_not_the_worst(void **state)
{
    made_up m;
    dv_crossval_summary s;
    make(*state, &m);
    write_counts(&m, 1, 6, 10, 8, 10, "");
    summarize(&m, &s);
    assert_int_equal(s.worst, 1);
    assert_true(isnan(s.folds[0].mean));
    dv_crossval_summary_free(&s);
}

static void calibration(void **state)
{
    made_up m;
    dv_crossval_summary s;
    char text[BINS_SIZE];
    make(*state, &m);
    /* Each bin has 20 answers: 0.4 against (1+2+3+0)/4/5, and 0.9 against (5+4+3+4)/4/5. */
    write_counts(&m, 0, 3, 5, 3, 5, write_bins(15, 0.2, 1.0, text));
    write_counts(&m, 1, 3, 5, 3, 5, write_bins(15, 0.4, 0.8, text));
    write_counts(&m, 2, 3, 5, 3, 5, write_bins(15, 0.6, 0.6, text));
    write_counts(&m, 3, 2, 5, 2, 5, write_bins(15, 0.0, 0.8, text));
    summarize(&m, &s);
    assert_true(s.has_calibration);
    assert_int_equal(s.calibration.bins[HIGH].count, 20);
    assert_int_equal(s.calibration.bins[LOW].correct, 6);
    assert_int_equal(s.calibration.bins[0].count, 0);
    near(s.calibration.bins[HIGH].confidence, 18);
    near(dv_calibration_error(&s.calibration), 0.5 * 0.1 + 0.5 * 0.1);
    json_t *json = dv_crossval_json(&m.all, &s);
    json_t *all = json_object_get(json_object_get(json, "pooled"), "calibration");
    near(json_number_value(json_object_get(all, "ece")), 0.1);
    assert_int_equal(json_array_size(json_object_get(all, "bins")), 15);
    json_t *high = json_array_get(json_object_get(all, "bins"), HIGH);
    assert_int_equal(json_integer_value(json_object_get(high, "count")), 20);
    near(json_number_value(json_object_get(high, "accuracy")), 0.8);
    near(json_number_value(json_object_get(high, "confidence")), 0.9);
    near(json_number_value(json_object_get(high, "low")), 13.0 / 15);
    json_decref(json);
    dv_crossval_summary_free(&s);
}

static void missing_or_other_bins(void **state)
{
    made_up m;
    char good[BINS_SIZE], other[BINS_SIZE];
    write_bins(15, 0.2, 1.0, good);
    write_bins(15, 0.2, 1.0, other);
    memcpy(strstr(other, "0.93333333333333335"), "0.94", 4); /* "0.94333...": another edge */
    char fewer[BINS_SIZE], many[BINS_SIZE], none[] = "";
    const char *const cases[] = {none, write_bins(14, 0.2, 1.0, fewer),
                                 write_bins(16, 0.2, 1.0, many), other};
    make(*state, &m);
    for (int run = 0; run < RUNS; run++) { /* the first, one in the middle, the last */
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            dv_crossval_summary s;
            for (int k = 0; k < RUNS; k++)
                write_counts(&m, k, 3, 5, 3, 5, k == run ? cases[i] : good);
            summarize(&m, &s);
            assert_int_equal(s.finished, RUNS);
            assert_false(s.has_calibration);
            json_t *json = dv_crossval_json(&m.all, &s);
            assert_null(json_object_get(json_object_get(json, "pooled"), "calibration"));
            json_decref(json);
            dv_crossval_summary_free(&s);
        }
    }
}

static void refuse(const made_up *m, const char *report, const char *part)
{
    dv_crossval_summary s;
    write_file(m->folders[2], "report.json", report);
    assert_int_equal(dv_crossval_summarize(&m->all, &s), DV_EFORMAT);
    assert_message("ann-seed-7/report.json");
    assert_message(part);
}

static void malformed_reports(void **state)
{
    made_up m;
    make(*state, &m);
    write_all(&m);
    refuse(&m, "{\"correct\": 3,\n", "line ");
    refuse(&m, "{\"correct\": 3, \"loss\": 1}", "count");
    refuse(&m, "{\"correct\": 3, \"count\": 2, \"loss\": 1}", "3 of 2");
    refuse(&m, "{\"correct\": 0, \"count\": 0, \"loss\": 1}", "0 of 0");
    refuse(&m, "{\"correct\": 1, \"count\": 2, \"loss\": 1}", "no classes");
    refuse(&m,
           "{\"correct\": 1, \"count\": 2, \"loss\": 1, \"classes\": [{\"label\": \"no\"},"
           "{\"label\": \"maybe\"}], \"confusion\": [[1, 0], [1, 0]]}",
           "its classes are not those");
    refuse(&m,
           "{\"correct\": 1, \"count\": 2, \"loss\": 1, \"classes\": [{\"label\": \"no\"},"
           "{\"label\": \"yes\"}], \"confusion\": [[1, 0], [1, 1]]}",
           "2 answers");
    refuse(&m,
           "{\"correct\": 1, \"count\": 2, \"loss\": 1, \"classes\": [{\"label\": \"no\"},"
           "{\"label\": \"yes\"}], \"confusion\": [[1, 0], [1]]}",
           "2 answers");
}

/* ---- Plans ---- */

static void experiment_on(const char *path, dv_experiment *experiment)
{
    memset(experiment, 0, sizeof *experiment);
    assert_int_equal(dv_fields_default(dv_data_fields, &experiment->data), DV_OK);
    int length = snprintf(experiment->data.path, sizeof experiment->data.path, "%s", path);
    assert_in_range(length, 1, sizeof experiment->data.path - 1);
}

/* data/WORD_SPEAKER_0.wav */
static const char *make_clips(const char *folder, const char *const *speakers, char path[PATH_SIZE])
{
    make_subfolder(folder, "data");
    path_in(folder, "data", path);
    for (; *speakers != NULL; speakers++) {
        char name[100];
        for (int word = 0; word < 2; word++) {
            snprintf(name, sizeof name, "%d_%s_0.wav", word, *speakers);
            write_file(path, name, "");
        }
    }
    return path;
}

static void plans(void **state)
{
    static const char *const speakers[] = {"s10", "s9", "ann", NULL};
    char path[PATH_SIZE], want[PATH_SIZE];
    dv_experiment experiment;
    dv_crossval all;
    experiment_on(make_clips(*state, speakers, path), &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "3,1", *state, &experiment, &all), DV_OK);
    assert_int_equal(all.fold_count, 3);
    assert_string_equal(all.folds[1], "s9"); /* in natural order */
    assert_int_equal(all.run_count, 6);
    assert_int_equal(all.clips, 6);
    assert_int_equal(all.seeds[all.runs[3].seed], 1);
    assert_string_equal(all.folds[all.runs[3].fold], "ann");
    assert_string_equal(all.runs[2].folder, path_in(*state, "s10-seed-3", want));
    dv_crossval_free(&all);
    assert_int_equal(dv_crossval_plan("6", "1", "", &experiment, &all), DV_OK);
    assert_int_equal(all.fold_count, 6);
    assert_string_equal(all.runs[5].folder, "runs/crossval-model-6/fold-6-seed-1");
    dv_crossval_free(&all);
}

static void names_of_folders(void **state)
{
    char path[PATH_SIZE], want[PATH_SIZE];
    dv_experiment experiment;
    dv_crossval all;
    write_file(*state, "list.csv", "path,label,speaker\na.wav,0,../x\nb.wav,1,.y\n");
    experiment_on(path_in(*state, "list.csv", path), &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "1", *state, &experiment, &all), DV_OK);
    assert_string_equal(all.folds[0], "../x");
    assert_string_equal(all.runs[0].folder, path_in(*state, "_._x-seed-1", want));
    assert_string_equal(all.runs[1].folder, path_in(*state, "_y-seed-1", want));
    dv_crossval_free(&all);
    write_file(*state, "list.csv", "path,label,speaker\na.wav,0,x/y\nb.wav,1,x_y\n");
    assert_int_equal(dv_crossval_plan("speaker", "1", *state, &experiment, &all), DV_EARG);
    assert_message("'x/y' and 'x_y'");
}

static void refuse_plan(const dv_experiment *experiment, const char *folds, const char *seeds,
                        const char *part)
{
    dv_crossval all;
    assert_int_equal(dv_crossval_plan(folds, seeds, "out", experiment, &all), DV_EARG);
    assert_message(part);
}

static void refused_plans(void **state)
{
    static const char *const speakers[] = {"ann", "bob", NULL};
    char path[PATH_SIZE];
    dv_experiment experiment;
    experiment_on(make_clips(*state, speakers, path), &experiment);
    refuse_plan(&experiment, "speakers", "1", "'speakers'");
    refuse_plan(&experiment, "", "1", "''");
    refuse_plan(&experiment, "2.5", "1", "'2.5'");
    refuse_plan(&experiment, "1", "1", "the number of parts is 1, must be 2 to 64");
    refuse_plan(&experiment, "-2", "1", "the number of parts is -2, must be 2 to 64");
    refuse_plan(&experiment, "65", "1", "the number of parts is 65, must be");
    refuse_plan(&experiment, "5", "1", "there are 5 parts for the 4 clips");
    refuse_plan(&experiment, "2", "", "--seeds '': ''");
    refuse_plan(&experiment, "2", "1,", "--seeds '1,': ''");
    refuse_plan(&experiment, "2", "1,x",
                "--seeds '1,x': 'x' is not a whole number from 0 to 4294967295");
    refuse_plan(&experiment, "2", "-1", "--seeds '-1': '-1'");
    refuse_plan(&experiment, "2", "4294967296", "--seeds '4294967296': '4294967296'");
    refuse_plan(&experiment, "2", "1,2,1", "--seeds '1,2,1': the seed 1 is there twice");
}

static void speakers_that_make_no_folds(void **state)
{
    enum { MANY = 65 };
    char names[MANY][8], path[PATH_SIZE];
    const char *speakers[MANY + 1];
    dv_experiment experiment;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "s%d", i);
        speakers[i] = names[i];
    }
    speakers[MANY] = NULL;
    experiment_on(make_clips(*state, speakers, path), &experiment);
    refuse_plan(&experiment, "speaker", "1", "65 speakers");
    refuse_plan(&experiment, "speaker", "1", "--folds K");
    char list[PATH_SIZE];
    write_file(*state, "one.csv", "path,label,speaker\na.wav,0,ann\nb.wav,1,ann\n");
    experiment_on(path_in(*state, "one.csv", list), &experiment);
    refuse_plan(&experiment, "speaker", "1", "1 speaker with");
    dv_crossval all; /* a clip without a name could be of any of the speakers */
    write_file(*state, "one.csv", "path,label,speaker\na.wav,0,ann\nb.wav,1,bob\nc.wav,1,\n");
    assert_int_equal(dv_crossval_plan("speaker", "1", "out", &experiment, &all), DV_EARG);
    assert_message("c.wav' has no speaker; --folds K");
}

/* ---- Checkpoints of other trainings to begin with ---- */

static void require_text(const dv_tree *tree, const char *key, const char *want)
{
    const dv_tree *value = dv_tree_get(dv_tree_get(tree, "train"), key);
    assert_non_null(value);
    assert_string_equal(value->text, want);
}

static void read_experiment(const char *data, const char *init_from, dv_experiment *experiment)
{
    dv_tree *overrides, *path, *files;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &overrides), DV_OK);
    assert_int_equal(dv_tree_new_scalar(data, NULL, 0, &path), DV_OK);
    assert_int_equal(dv_tree_set(overrides, "data.path", path), DV_OK);
    assert_int_equal(dv_tree_new_scalar(init_from, NULL, 0, &files), DV_OK);
    assert_int_equal(dv_tree_set(overrides, "train.init_from", files), DV_OK);
    if (dv_experiment_read("configs/mini.yaml", overrides, experiment) != DV_OK)
        fail_msg("%s", dv_error_message());
    dv_tree_free(overrides);
}

static void require_init_from(const char *folder, const char *data, const char *given, size_t run,
                              const char *want)
{
    dv_experiment experiment, of_run;
    dv_crossval all;
    read_experiment(data, given, &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "3,10", folder, &experiment, &all), DV_OK);
    assert_int_equal(dv_crossval_experiment(&all, &all.runs[run], &experiment, &of_run), DV_OK);
    assert_string_equal(of_run.train.init_from, want);
    require_text(of_run.tree, "init_from", want);
    assert_string_equal(experiment.train.init_from, given);
    require_text(experiment.tree, "init_from", given);
    dv_experiment_free(&of_run);
    dv_experiment_free(&experiment);
    dv_crossval_free(&all);
}

static void fold_and_seed_in_init_from(void **state)
{
    char data[PATH_SIZE];
    write_file(*state, "list.csv", "path,label,speaker\na.wav,0,../x\nb.wav,1,{seed}\n");
    path_in(*state, "list.csv", data);
    require_init_from(*state, data, "a.=r/{fold}-seed-{seed}/m,b.={seed}{seed}/{fold}", 2,
                      "a.=r/_._x-seed-10/m,b.=1010/_._x");
    require_init_from(*state, data, "{fold}-seed-{seed}", 1, "{seed}-seed-3");
    require_init_from(*state, data, "r/model.safetensors", 0, "r/model.safetensors");
    require_init_from(*state, data, "{folds}{ seed}{", 0, "{folds}{ seed}{");
    require_init_from(*state, data, "", 3, "");
}

static void refused_init_from(void **state)
{
    char data[PATH_SIZE], files[DV_STRING_SIZE], want[DV_STRING_SIZE];
    dv_experiment experiment;
    dv_crossval all;
    /* Only the second speaker's name makes the path longer than {fold}. */
    write_file(*state, "list.csv", "path,label,speaker\na.wav,0,ann\nb.wav,1,maximilian\n");
    path_in(*state, "list.csv", data);
    snprintf(files, sizeof files, "%0*d{fold}", DV_STRING_SIZE - 1 - 10, 0);
    snprintf(want, sizeof want, "%0*dmaximilian", DV_STRING_SIZE - 1 - 10, 0);
    require_init_from(*state, data, files, 1, want); /* just fits */
    snprintf(files, sizeof files, "%0*d{fold}", DV_STRING_SIZE - 10, 0);
    read_experiment(data, files, &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "3", *state, &experiment, &all), DV_EARG);
    assert_message("train.init_from");
    assert_message("with fold maximilian and seed 3: 0000");
    dv_experiment_free(&experiment);
    write_file(*state, "list.csv", "path,label,speaker\na.wav,0,ann\nb.wav,1,\"x,y\"\n");
    read_experiment(data, "r/{fold}", &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "3", *state, &experiment, &all), DV_EARG);
    assert_message("{fold} cannot be 'x,y'");
    dv_experiment_free(&experiment);
    read_experiment(data, "r/{seed}", &experiment);
    assert_int_equal(dv_crossval_plan("speaker", "3", *state, &experiment, &all), DV_OK);
    dv_crossval_free(&all);
    dv_experiment_free(&experiment);
}

static dv_status claim(const char *folder, const char *data)
{
    char path[PATH_SIZE];
    dv_experiment experiment;
    dv_crossval all;
    read_experiment(data, "", &experiment);
    path_in(folder, "out", path);
    if (dv_crossval_plan("2", "1", path, &experiment, &all) != DV_OK)
        fail_msg("%s", dv_error_message());
    dv_status status = dv_crossval_claim(&all, &experiment);
    dv_crossval_free(&all);
    dv_experiment_free(&experiment);
    return status;
}

/* Runs on the same number of other clips do not belong together. */
static void other_data(void **state)
{
    char data[PATH_SIZE];
    static const char *const others[] = {"path,label,speaker\na.wav,1,ann\nb.wav,0,bob\n",
                                         "path,label,speaker\na.wav,0,ann\nb.wav,1,eve\n",
                                         "path,label,speaker\na.wav,0,ann\nc.wav,1,bob\n"};
    static const char first[] = "path,label,speaker\na.wav,0,ann\nb.wav,1,bob\n";
    path_in(*state, "list.csv", data);
    write_file(*state, "list.csv", first);
    assert_int_equal(claim(*state, data), DV_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_file(*state, "list.csv", others[i]);
        assert_int_equal(claim(*state, data), DV_EARG);
        assert_message("out holds runs of another configuration: 'data: ");
    }
    write_file(*state, "list.csv", first);
    assert_int_equal(claim(*state, data), DV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(known_answers),
        IN_FOLDER(json_and_text),
        IN_FOLDER(incomplete),
        IN_FOLDER(a_fold_without_runs_is_not_the_worst),
        IN_FOLDER(calibration),
        IN_FOLDER(missing_or_other_bins),
        IN_FOLDER(malformed_reports),
        IN_FOLDER(plans),
        IN_FOLDER(names_of_folders),
        IN_FOLDER(refused_plans),
        IN_FOLDER(speakers_that_make_no_folds),
        IN_FOLDER(fold_and_seed_in_init_from),
        IN_FOLDER(refused_init_from),
        IN_FOLDER(other_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
