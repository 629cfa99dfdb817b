/* Makes the report of an evaluation, and prints it as text, as JSON and as CSV. */
#include "runner/evaluate/report.h"
#include "engine/base/column.h"
#include "engine/base/atomic_file.h"
#include "engine/base/csv.h"
#include "engine/base/input_file.h"
#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "runner/experiment/output.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const dv_report_parts[] = {"train", "validation", "test", "all", NULL};

/* ---- Making ---- */

static dv_status class_of(const dv_model *model, const char *label, int *class)
{
    for (int64_t k = 0; k < dv_model_classes(model); k++) {
        if (strcmp(dv_model_label(model, (size_t)k), label) == 0) {
            *class = (int)k;
            return DV_OK;
        }
    }
    return DV_FAIL(DV_EFORMAT, "the data have the label '%s', which the model does not know",
                   label);
}

static dv_status select_clips(const dv_dataset *dataset, dv_part part, int64_t **indices,
                              int64_t *count)
{
    if (part != DV_PART_COUNT)
        return dv_dataset_part(dataset, part, indices, count);
    DV_TRY(dv_calloc(dataset->count, sizeof **indices, indices));
    *count = (int64_t)dataset->count;
    for (int64_t i = 0; i < *count; i++)
        (*indices)[i] = i;
    return DV_OK;
}

/* By a session of the capacity that suits so many clips. */
static dv_status answer_clips(dv_model *model, int threads, const dv_dataset *dataset,
                              const int64_t *indices, dv_report *out)
{
    dv_session *session;
    const dv_session_options options = {.size = sizeof options,
                                        .capacity = dv_session_capacity_for(model, out->count),
                                        .threads = threads > 0 ? threads : -1};
    DV_TRY(dv_session_create(model, &options, &session));
    dv_status status = dv_session_clips(session, dataset, indices, out->count, out->logits);
    dv_session_free(session);
    return status;
}

/* Answers the clips, and adds up confusion matrix, calibration and loss. */
static dv_status answer(dv_model *model, int threads, const dv_dataset *dataset,
                        const int64_t *indices, dv_report *out)
{
    int64_t classes = dv_model_classes(model);
    size_t count = (size_t)out->count;
    DV_TRY(dv_confusion_create(classes, &out->confusion));
    DV_TRY(dv_calloc((size_t)classes, sizeof *out->labels, &out->labels));
    for (int64_t k = 0; k < classes; k++)
        out->labels[k] = dv_model_label(model, (size_t)k);
    DV_TRY(dv_calloc(count, sizeof *out->clips, &out->clips));
    DV_TRY(dv_calloc(count, sizeof *out->truth, &out->truth));
    DV_TRY(dv_calloc(count * (size_t)classes, sizeof *out->logits, &out->logits));
    for (int64_t i = 0; i < out->count; i++) {
        out->clips[i] = &dataset->clips[indices[i]];
        DV_TRY(class_of(model, dataset->labels[out->clips[i]->label], &out->truth[i]));
    }
    DV_TRY(answer_clips(model, threads, dataset, indices, out));
    for (int64_t i = 0; i < out->count; i++) {
        const float *logits = out->logits + i * classes;
        int64_t best = dv_argmax(logits, classes);
        dv_confusion_add(&out->confusion, out->truth[i], best);
        dv_calibration_add(&out->calibration, dv_confidence(logits, classes),
                           best == out->truth[i]);
        out->loss += dv_cross_entropy(logits, classes, out->truth[i]) / (double)out->count;
    }
    return DV_OK;
}

/* Reports with the same mark are of the same clips. */
static dv_status mark_clips(const dv_dataset *dataset, dv_report *out)
{
    dv_dataset taken = *dataset;
    uint64_t marks[2];
    char digest[DV_SHA256_SIZE];
    taken.count = (size_t)out->count;
    DV_TRY(dv_calloc(taken.count, sizeof *taken.clips, &taken.clips));
    for (size_t i = 0; i < taken.count; i++)
        taken.clips[i] = *out->clips[i];
    marks[0] = dv_dataset_fingerprint(&taken);
    dv_status status = dv_dataset_sound_fingerprint(&taken, "", 1, &marks[1]);
    free(taken.clips);
    dv_sha256_bytes(marks, sizeof marks, digest);
    snprintf(out->test_set, sizeof out->test_set, "%.16s", digest);
    return status;
}

static dv_status fail_without_clips(const dv_dataset *dataset, dv_part part)
{
    bool validates = part == DV_PART_TEST && dv_dataset_has(dataset, DV_PART_VALIDATION);
    return DV_FAIL(DV_EFORMAT, "the part '%s' of the data has no clip%s", dv_report_parts[part],
                   validates ? ", but the part 'validation' has some" : "");
}

/* Selects, answers and marks the clips. */
dv_status dv_report_make(dv_model *model, int threads, const dv_dataset *dataset, dv_part part,
                         dv_report *out)
{
    memset(out, 0, sizeof *out);
    out->model = model;
    out->dataset = dataset;
    out->part = part;
    out->skipped = dataset->skipped;
    out->missing = part == DV_PART_COUNT ? dataset->skipped : dataset->skipped_of[part];
    int64_t *indices = NULL;
    DV_TRY(select_clips(dataset, part, &indices, &out->count));
    dv_status status = out->count > 0 ? answer(model, threads, dataset, indices, out)
                                      : fail_without_clips(dataset, part);
    if (status == DV_OK)
        status = mark_clips(dataset, out);
    free(indices);
    if (status != DV_OK)
        dv_report_free(out);
    return status;
}

void dv_report_free(dv_report *report)
{
    dv_confusion_free(&report->confusion);
    free(report->labels);
    free(report->clips);
    free(report->truth);
    free(report->logits);
    memset(report, 0, sizeof *report);
}

/* ---- Text ---- */

enum { LABEL_WIDTH = 12, COLUMN_WIDTH = 6, MOST_WIDTH = 40 };

/* A share in per cent, or a dash where there is nothing to share. */
static void put_share(double share, FILE *out)
{
    if (isnan(share))
        fprintf(out, " %10s", "-");
    else
        fprintf(out, " %9.2f%%", 100 * share);
}

static int longest_label(const dv_confusion *confusion, const char *const *labels)
{
    int longest = 0;
    for (int64_t k = 0; k < confusion->classes; k++) {
        int cells = dv_cells(labels[k]);
        longest = cells > longest ? cells : longest;
    }
    return longest < MOST_WIDTH ? longest : MOST_WIDTH;
}

/* Labels that are too long to stand over columns have numbers there. */
static void put_matrix(const dv_confusion *confusion, const char *const *labels, FILE *out)
{
    int longest = longest_label(confusion, labels);
    bool numbered = longest > COLUMN_WIDTH;
    int width = longest + 4 * numbered;
    width = width > LABEL_WIDTH ? width : LABEL_WIDTH;
    fprintf(out, "\n%-*s predicted\n%-*s", width, "", width, "true");
    for (int64_t k = 0; k < confusion->classes; k++) {
        if (numbered)
            fprintf(out, " %*lld", COLUMN_WIDTH, (long long)k);
        else
            fprintf(out, " %s", dv_column(labels[k], -COLUMN_WIDTH, MOST_WIDTH).text);
    }
    for (int64_t i = 0; i < confusion->classes; i++) {
        if (numbered)
            fprintf(out, "\n%3lld %s", (long long)i,
                    dv_column(labels[i], width - 4, MOST_WIDTH).text);
        else
            fprintf(out, "\n%s", dv_column(labels[i], width, MOST_WIDTH).text);
        for (int64_t k = 0; k < confusion->classes; k++)
            fprintf(out, " %*lld", COLUMN_WIDTH,
                    (long long)confusion->counts[i * confusion->classes + k]);
    }
    fprintf(out, "\n");
}

void dv_confusion_text(const dv_confusion *confusion, const char *const *labels, FILE *out)
{
    int longest = longest_label(confusion, labels);
    int width = longest > LABEL_WIDTH ? longest : LABEL_WIDTH;
    fprintf(out, "\n%-*s %10s %10s\n", width, "class", "precision", "recall");
    for (int64_t k = 0; k < confusion->classes; k++) {
        fputs(dv_column(labels[k], width, MOST_WIDTH).text, out);
        put_share(dv_confusion_precision(confusion, k), out);
        put_share(dv_confusion_recall(confusion, k), out);
        fprintf(out, "\n");
    }
    put_matrix(confusion, labels, out);
}

void dv_report_text(const dv_report *report, FILE *out)
{
    int64_t correct = dv_confusion_correct(&report->confusion);
    double low, high;
    dv_wilson_interval(correct, report->count, &low, &high);
    fprintf(out, "accuracy %.2f%% (%lld of %lld; 95%% interval %.2f%% to %.2f%%), loss %.4f\n",
            100.0 * (double)correct / (double)report->count, (long long)correct,
            (long long)report->count, 100 * low, 100 * high, report->loss);
    fprintf(out, "ECE %.2f%%\n", 100 * dv_calibration_error(&report->calibration));
    if (report->missing > 0)
        fprintf(out, "without %zu unreadable clip%s of the part\n", report->missing,
                dv_plural(report->missing));
    if (report->skipped > 0)
        fprintf(out, "%zu unreadable file%s left out\n", report->skipped,
                dv_plural(report->skipped));
    dv_confusion_text(&report->confusion, report->labels, out);
}

/* ---- JSON ---- */

/* NaN, a share of nothing, is null. */
static json_t *share_json(double share)
{
    return isnan(share) ? json_null() : json_real(share);
}

/* The lists of labels, probabilities and logits have the same order. */
json_t *dv_answer_json(const dv_model *model, const char *file, const float *logits)
{
    int64_t classes = dv_model_classes(model);
    int64_t best = dv_argmax(logits, classes);
    double *probabilities;
    if (dv_calloc((size_t)classes, sizeof *probabilities, &probabilities) != DV_OK)
        return NULL;
    dv_softmax(logits, classes, probabilities);
    json_t *labels = json_array(), *all = json_array(), *raw = json_array();
    for (int64_t k = 0; k < classes; k++) {
        json_array_append_new(labels, json_string(dv_model_label(model, (size_t)k)));
        json_array_append_new(all, json_real(probabilities[k]));
        json_array_append_new(raw, json_real((double)logits[k]));
    }
    json_t *result = json_object();
    if (file != NULL)
        json_object_set_new(result, "file", dv_text_json(file));
    json_object_set_new(result, "label", json_string(dv_model_label(model, (size_t)best)));
    json_object_set_new(result, "confidence", json_real(probabilities[best]));
    json_object_set_new(result, "labels", labels);
    json_object_set_new(result, "probabilities", all);
    json_object_set_new(result, "logits", raw);
    free(probabilities);
    return result;
}

json_t *dv_classes_json(const dv_confusion *confusion, const char *const *labels)
{
    json_t *classes = json_array();
    for (int64_t k = 0; k < confusion->classes; k++)
        json_array_append_new(classes,
                              json_pack("{s:s, s:o, s:o, s:o}", "label", labels[k], "precision",
                                        share_json(dv_confusion_precision(confusion, k)), "recall",
                                        share_json(dv_confusion_recall(confusion, k)), "f1",
                                        share_json(dv_confusion_f1(confusion, k))));
    return classes;
}

json_t *dv_macro_json(const dv_confusion *confusion)
{
    dv_macro_means means = dv_confusion_macro(confusion);
    return json_pack("{s:o, s:o, s:o}", "precision", share_json(means.precision), "recall",
                     share_json(means.recall), "f1", share_json(means.f1));
}

json_t *dv_confusion_json(const dv_confusion *confusion)
{
    json_t *rows = json_array();
    for (int64_t i = 0; i < confusion->classes; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < confusion->classes; k++)
            json_array_append_new(row, json_integer(confusion->counts[i * confusion->classes + k]));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *dv_calibration_json(const dv_calibration *calibration)
{
    json_t *bins = json_array();
    for (int m = 0; m < DV_CALIBRATION_BINS; m++) {
        const dv_calibration_bin *bin = &calibration->bins[m];
        double count = bin->count > 0 ? (double)bin->count : 1;
        json_array_append_new(
            bins,
            json_pack("{s:f, s:f, s:I, s:f, s:f}", "low", dv_calibration_edge(m), "high",
                      dv_calibration_edge(m + 1), "count", (json_int_t)bin->count, "confidence",
                      bin->confidence / count, "accuracy", (double)bin->correct / count));
    }
    return json_pack("{s:f, s:o}", "ece", dv_calibration_error(calibration), "bins", bins);
}

static json_t *clips_json(const dv_report *report)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < report->count; i++) {
        json_t *one = dv_answer_json(report->model, report->clips[i]->path,
                                     report->logits + i * report->confusion.classes);
        if (report->clips[i]->length > 0) /* s, of a stretch of the file */
            json_object_set_new(one, "start", json_real(report->clips[i]->start));
        json_object_set_new(one, "truth",
                            json_string(dv_model_label(report->model, (size_t)report->truth[i])));
        json_array_append_new(list, one);
    }
    return list;
}

/* Clips of each label and part: a list of {label, train, validation, test}. NULL when out of
   memory. */
static json_t *parts_json(const dv_dataset *dataset, const size_t *counts)
{
    json_t *list = json_array();
    int failed = 0;
    for (size_t k = 0; k < dataset->label_count; k++) {
        json_t *one = json_pack("{s:o}", "label", dv_text_json(dataset->labels[k]));
        for (int part = 0; part < DV_PART_COUNT; part++)
            failed |= json_object_set_new(
                one, dv_report_parts[part],
                json_integer((json_int_t)counts[k * DV_PART_COUNT + (size_t)part]));
        failed |= json_array_append_new(list, one);
    }
    if (failed == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *left_out_json(const dv_dataset *dataset)
{
    const dv_removed_clips *removed = &dataset->removed;
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "unreadable", (json_int_t)dataset->skipped, "excluded",
        (json_int_t)removed->excluded, "other_words", (json_int_t)removed->other_words,
        "test_of_more", (json_int_t)removed->test_of_more, "tested_later",
        (json_int_t)removed->tested_later, "other_files", (json_int_t)dataset->left_out.total);
}

/* Adds what the figures are of: part, split, mark, and the whole data set by numbers. False when
   out of memory. */
static bool add_data(const dv_report *report, json_t *json)
{
    size_t *counts;
    if (dv_dataset_count(report->dataset, &counts) != DV_OK)
        return false;
    json_t *parts = parts_json(report->dataset, counts);
    free(counts);
    int failed = json_object_set_new(json, "part", json_string(dv_report_parts[report->part]));
    failed |= json_object_set_new(json, "split", dv_text_json(report->split));
    failed |= json_object_set_new(json, "test_set", json_string(report->test_set));
    failed |= json_object_set_new(json, "parts", parts);
    failed |= json_object_set_new(json, "left_out", left_out_json(report->dataset));
    return failed == 0;
}

/* The keys are those of report.json. */
json_t *dv_report_json(const dv_report *report, bool clips)
{
    int64_t correct = dv_confusion_correct(&report->confusion);
    double low, high;
    dv_wilson_interval(correct, report->count, &low, &high);
    json_t *json = json_pack(
        "{s:s, s:f, s:I, s:I, s:[f, f], s:f, s:o, s:I, s:o, s:o}", DV_JSON_GENERATOR,
        DV_JSON_DECAVOX, "accuracy", (double)correct / (double)report->count, "correct",
        (json_int_t)correct, "count", (json_int_t)report->count, "interval_95", low, high, "loss",
        report->loss, "calibration", dv_calibration_json(&report->calibration), "skipped",
        (json_int_t)report->skipped, "classes", dv_classes_json(&report->confusion, report->labels),
        "confusion", dv_confusion_json(&report->confusion));
    bool whole =
        json != NULL && (report->split == NULL || add_data(report, json)) &&
        json_object_set_new(json, "macro", dv_macro_json(&report->confusion)) == 0 &&
        json_object_set_new(json, "missing", json_integer((json_int_t)report->missing)) == 0 &&
        (!clips || json_object_set_new(json, "clips", clips_json(report)) == 0);
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

/* ---- Files ---- */

static dv_status write_text(const char *path, const char *text)
{
    return dv_atomic_file_store(path, text, strlen(text));
}

/* The text is made in memory and then stored at once. */
dv_status dv_report_confusion_csv(const dv_report *report, const char *path)
{
    const dv_confusion *confusion = &report->confusion;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the confusion matrix");
    fprintf(stream, "true");
    for (int64_t k = 0; k < confusion->classes; k++) {
        fputc(',', stream);
        dv_csv_put(stream, dv_model_label(report->model, (size_t)k), false);
    }
    for (int64_t i = 0; i < confusion->classes; i++) {
        fputc('\n', stream);
        dv_csv_put(stream, dv_model_label(report->model, (size_t)i), false);
        for (int64_t k = 0; k < confusion->classes; k++)
            fprintf(stream, ",%lld", (long long)confusion->counts[i * confusion->classes + k]);
    }
    fprintf(stream, "\n");
    fclose(stream);
    dv_status status = write_text(path, text);
    free(text);
    return status;
}
