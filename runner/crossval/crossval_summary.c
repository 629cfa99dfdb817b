/* Reads the reports of the runs and computes their summary. */
#include "runner/crossval/crossval.h"
#include "engine/base/json.h"
#include "runner/evaluate/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Reading ---- */

/* Reads the JSON of a run's report and, for messages, its path. The caller owns both. *out is NULL
   if there is no report. */
static dv_status load(const dv_crossval_run *run, char **path, json_t **out)
{
    *out = NULL;
    DV_TRY(dv_crossval_path(run, "report.json", path));
    if (access(*path, F_OK) != 0)
        return DV_OK;
    dv_status status = dv_json_read(*path, out);
    if (status == DV_OK)
        return DV_OK;
    free(*path);
    *path = NULL;
    return status;
}

/* The largest number of answers in a report, so that no sum over runs and cells overflows. */
static const json_int_t most_answers = 1000000000000;

static dv_status read_result(const char *path, json_t *report, dv_crossval_result *out)
{
    json_int_t correct, count;
    json_error_t error;
    if (json_unpack_ex(report, &error, 0, "{s:I, s:I, s:F}", "correct", &correct, "count", &count,
                       "loss", &out->loss) != 0)
        return DV_FAIL(DV_EFORMAT, "%s: is no report: %s", path, error.text);
    if (count < 1 || count > most_answers || correct < 0 || correct > count)
        return DV_FAIL(DV_EFORMAT, "%s: is no report: %lld of %lld answers are right", path,
                       (long long)correct, (long long)count);
    out->correct = correct;
    out->count = count;
    out->accuracy = (double)correct / (double)count;
    out->finished = true;
    return DV_OK;
}

dv_status dv_crossval_result_read(const dv_crossval_run *run, dv_crossval_result *out)
{
    char *path;
    json_t *report;
    *out = (dv_crossval_result){.finished = false};
    DV_TRY(load(run, &path, &report));
    dv_status status = report != NULL ? read_result(path, report, out) : DV_OK;
    json_decref(report);
    free(path);
    return status;
}

static const char *label_at(const json_t *classes, size_t k)
{
    const char *label = json_string_value(json_object_get(json_array_get(classes, k), "label"));
    return label != NULL ? label : "";
}

/* Takes the labels from the first report; the others must have the same. */
static dv_status take_labels(const char *path, const json_t *classes, dv_crossval_summary *out)
{
    size_t count = json_array_size(classes);
    if (count == 0)
        return DV_FAIL(DV_EFORMAT, "%s: is no report: it has no classes", path);
    if (out->labels == NULL) {
        DV_TRY(dv_calloc(count, sizeof *out->labels, &out->labels));
        DV_TRY(dv_confusion_create((int64_t)count, &out->confusion));
        for (size_t k = 0; k < count; k++)
            DV_TRY(dv_strdup(label_at(classes, k), &out->labels[k]));
    }
    bool same = (int64_t)count == out->confusion.classes;
    for (size_t k = 0; same && k < count; k++)
        same = strcmp(out->labels[k], label_at(classes, k)) == 0;
    if (!same)
        return DV_FAIL(DV_EFORMAT, "%s: its classes are not those of the other runs' reports",
                       path);
    return DV_OK;
}

/* Adds a confusion matrix, which must agree with the result in its numbers of answers and of
   correct answers. */
static dv_status add_confusion(const char *path, const json_t *rows,
                               const dv_crossval_result *result, dv_confusion *sum)
{
    int64_t total = dv_confusion_total(sum), correct = dv_confusion_correct(sum);
    size_t classes = (size_t)sum->classes;
    bool fits = json_array_size(rows) == classes;
    for (size_t i = 0; fits && i < classes; i++) {
        const json_t *row = json_array_get(rows, i);
        fits = json_array_size(row) == classes;
        for (size_t k = 0; fits && k < classes; k++) {
            json_int_t count = json_integer_value(json_array_get(row, k));
            fits = count >= 0 && count <= result->count;
            sum->counts[i * classes + k] += count;
        }
    }
    if (!fits || dv_confusion_total(sum) - total != result->count ||
        dv_confusion_correct(sum) - correct != result->correct)
        return DV_FAIL(DV_EFORMAT,
                       "%s: is no report: its confusion matrix does not have %lld answers", path,
                       (long long)result->count);
    return DV_OK;
}

static double number_at(const json_t *bin, const char *key)
{
    return json_number_value(json_object_get(bin, key));
}

/* Adds a bin. False if it is invalid or has other edges than bin `m`. */
static bool add_bin(const json_t *bin, int m, dv_calibration_bin *sum)
{
    json_int_t count = json_integer_value(json_object_get(bin, "count"));
    double accuracy = number_at(bin, "accuracy");
    bool same = json_is_object(bin) && count >= 0 && count <= most_answers && accuracy >= 0 &&
                accuracy <= 1 && fabs(number_at(bin, "low") - dv_calibration_edge(m)) < 1e-9 &&
                fabs(number_at(bin, "high") - dv_calibration_edge(m + 1)) < 1e-9;
    if (!same)
        return false;
    sum->count += count;
    sum->correct += llround(accuracy * (double)count);
    sum->confidence += number_at(bin, "confidence") * (double)count;
    return true;
}

/* Adds a calibration. False if the report has none, as older reports; no sum can be made then. */
static bool add_calibration(const json_t *report, dv_calibration *sum)
{
    const json_t *bins = json_object_get(json_object_get(report, "calibration"), "bins");
    bool same = json_array_size(bins) == DV_CALIBRATION_BINS;
    for (int m = 0; same && m < DV_CALIBRATION_BINS; m++)
        same = add_bin(json_array_get(bins, (size_t)m), m, &sum->bins[m]);
    return same;
}

static dv_status add_report(const char *path, json_t *report, dv_crossval_result *result,
                            dv_crossval_summary *out)
{
    DV_TRY(read_result(path, report, result));
    DV_TRY(take_labels(path, json_object_get(report, "classes"), out));
    DV_TRY(add_confusion(path, json_object_get(report, "confusion"), result, &out->confusion));
    out->has_calibration =
        add_calibration(report, &out->calibration) && (out->finished == 0 || out->has_calibration);
    out->finished++;
    out->correct += result->correct;
    out->count += result->count;
    out->loss += result->loss * (double)result->count; /* a sum until compute() divides it */
    return DV_OK;
}

static dv_status add_run(const dv_crossval_run *run, dv_crossval_result *result,
                         dv_crossval_summary *out)
{
    char *path;
    json_t *report;
    if (run->error != NULL)
        return DV_OK;
    DV_TRY(load(run, &path, &report));
    dv_status status = report != NULL ? add_report(path, report, result, out) : DV_OK;
    json_decref(report);
    free(path);
    return status;
}

/* ---- Computing ---- */

/* Adds a value (Welford 1962). `deviation` is the sum of squares until end_spread. */
static void add_value(dv_spread *spread, double value)
{
    double before = value - spread->mean;
    spread->mean += before / (double)++spread->count;
    spread->deviation += before * (value - spread->mean);
}

static void end_spread(dv_spread *spread)
{
    spread->mean = spread->count > 0 ? spread->mean : (double)NAN;
    spread->deviation =
        spread->count > 1 ? sqrt(spread->deviation / (double)(spread->count - 1)) : (double)NAN;
}

/* Counts the clips. Those of a fold are its answers divided by its runs. */
static int64_t count_clips(const dv_crossval *all, const dv_crossval_summary *summary)
{
    int64_t clips = 0;
    for (size_t fold = 0; fold < all->fold_count; fold++) {
        int64_t answers = 0, runs = summary->folds[fold].count;
        for (size_t i = 0; i < all->run_count; i++) {
            if (all->runs[i].fold == fold && summary->results[i].finished)
                answers += summary->results[i].count;
        }
        clips += runs > 0 ? answers / runs : 0;
    }
    return clips;
}

/* Computes means, deviations, the worst fold, the interval and the mean loss from the results. Only
   seeds with all folds count in over_seeds. */
static void compute(const dv_crossval *all, dv_crossval_summary *out)
{
    for (size_t i = 0; i < all->run_count; i++) {
        if (!out->results[i].finished)
            continue;
        add_value(&out->runs, out->results[i].accuracy);
        add_value(&out->folds[all->runs[i].fold], out->results[i].accuracy);
        add_value(&out->seeds[all->runs[i].seed], out->results[i].accuracy);
    }
    end_spread(&out->runs);
    for (size_t i = 0; i < all->seed_count; i++) {
        end_spread(&out->seeds[i]);
        if (out->seeds[i].count == (int64_t)all->fold_count)
            add_value(&out->over_seeds, out->seeds[i].mean);
    }
    end_spread(&out->over_seeds);
    for (size_t i = 0; i < all->fold_count; i++) {
        end_spread(&out->folds[i]);
        if (out->folds[i].count > 0)
            add_value(&out->over_folds, out->folds[i].mean);
        /* Also false if the fold has no run, because its mean is NaN. */
        bool worse = out->folds[i].mean < out->folds[out->worst].mean;
        if (worse || out->folds[out->worst].count == 0)
            out->worst = i;
    }
    end_spread(&out->over_folds);
    out->clips = count_clips(all, out);
    double answers = out->count > 0 ? (double)out->count : (double)NAN;
    dv_wilson_share((double)out->correct / answers, out->clips, &out->low, &out->high);
    out->loss /= answers;
}

dv_status dv_crossval_summarize(const dv_crossval *all, dv_crossval_summary *out)
{
    dv_status status;
    memset(out, 0, sizeof *out);
    DV_TRY_GOTO(dv_calloc(all->run_count, sizeof *out->results, &out->results));
    DV_TRY_GOTO(dv_calloc(all->fold_count, sizeof *out->folds, &out->folds));
    DV_TRY_GOTO(dv_calloc(all->seed_count, sizeof *out->seeds, &out->seeds));
    for (size_t i = 0; i < all->run_count; i++)
        DV_TRY_GOTO(add_run(&all->runs[i], &out->results[i], out));
    compute(all, out);
    return DV_OK;
fail:
    dv_crossval_summary_free(out);
    return status;
}

void dv_crossval_summary_free(dv_crossval_summary *summary)
{
    for (int64_t k = 0; summary->labels != NULL && k < summary->confusion.classes; k++)
        free(summary->labels[k]);
    free(summary->labels);
    dv_confusion_free(&summary->confusion);
    free(summary->results);
    free(summary->folds);
    free(summary->seeds);
    memset(summary, 0, sizeof *summary);
}
