/* Collects the facts of a training, and writes them as JSON and for TensorBoard. */
#include "runner/evaluate/run_facts.h"
#include "engine/base/json.h"
#include "engine/base/shell.h"
#include "engine/base/text.h"
#include "runner/experiment/repeat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Collecting ---- */

void dv_date_now(char date[DV_DATE_SIZE])
{
    time_t now = time(NULL);
    struct tm local;
    strftime(date, DV_DATE_SIZE, "%Y-%m-%d %H:%M:%S %z", localtime_r(&now, &local));
}

/* "decavox predict /runs/one/model.safetensors FILE.wav" */
static dv_status predict_command(const char *folder, char **out)
{
    char *model;
    DV_TRY(dv_absolute_file(folder, "model.safetensors", &model));
    const char *const words[] = {"predict", model, "FILE.wav"};
    dv_status status = dv_shell_command(words, sizeof words / sizeof words[0], out);
    free(model);
    return status;
}

dv_status dv_run_facts_complete(dv_run_facts *facts)
{
    const dv_repeated how = {
        .folder = facts->folder->path, .device = facts->device, .threads = facts->threads};
    dv_date_now(facts->date);
    facts->seconds = dv_run_seconds(facts->folder);
    DV_TRY(dv_absolute_path(facts->experiment->data.path, &facts->data));
    DV_TRY(dv_repeat_command(facts->experiment, &how, &facts->repeat));
    return predict_command(facts->folder->path, &facts->predict);
}

void dv_run_facts_free(dv_run_facts *facts)
{
    free(facts->data);
    free(facts->repeat);
    free(facts->predict);
    facts->data = facts->repeat = facts->predict = NULL;
}

/* ---- JSON ---- */

json_t *dv_run_facts_json(const dv_run_facts *facts)
{
    json_t *json = json_pack(
        "{s:s, s:I, s:o, s:I, s:s, s:s, s:i, s:I, s:f, s:s, s:o, s:o}", "model",
        dv_experiment_model_name(facts->experiment), "parameters", (json_int_t)facts->parameters,
        "data", dv_text_json(facts->data), "seed", (json_int_t)facts->experiment->train.seed,
        "device", facts->device, "precision", facts->precision, "threads", facts->threads, "epochs",
        (json_int_t)facts->epochs, "seconds", facts->seconds, "date", facts->date, "repeat",
        dv_text_json(facts->repeat), "predict", dv_text_json(facts->predict));
    if (json == NULL)
        return NULL;
    if (facts->commit != NULL)
        json_object_set_new(json, "commit", json_string(facts->commit));
    if (facts->best_epoch > 0) {
        json_object_set_new(json, "best_epoch", json_integer((json_int_t)facts->best_epoch));
        json_object_set_new(json, "best_validation_accuracy", json_real(facts->best_accuracy));
        json_object_set_new(json, "best_validation_loss", json_real(facts->best_loss));
    }
    return json;
}

/* ---- TensorBoard ---- */

enum { MOST_CLASSES = 100 };

/* Writes a label as a cell of a table in Markdown. */
static void put_cell(FILE *out, const char *label)
{
    for (; *label != '\0'; label++) {
        if (strchr("|\\`*_<>[]", *label) != NULL)
            fputc('\\', out);
        fputc(*label, out);
    }
    fputs(" | ", out);
}

/* Writes the confusion matrix in Markdown. A matrix of many classes is too large to be read. */
static void put_matrix(const void *user, FILE *out)
{
    const dv_report *report = user;
    int64_t classes = report->confusion.classes;
    if (classes > MOST_CLASSES) {
        fprintf(out, "confusion.csv has the matrix of %lld classes.\n", (long long)classes);
        return;
    }
    fprintf(out, "%s part: a row for each true class, a column for each answer\n\n| true | ",
            dv_report_parts[report->part]);
    for (int64_t k = 0; k < classes; k++)
        put_cell(out, report->labels[k]);
    fputs("\n| --- |", out);
    for (int64_t k = 0; k < classes; k++)
        fputs(" ---: |", out);
    for (int64_t i = 0; i < classes; i++) {
        fputs("\n| ", out);
        put_cell(out, report->labels[i]);
        for (int64_t k = 0; k < classes; k++) {
            int64_t count = report->confusion.counts[i * classes + k];
            if (count == 0)
                fputs("\u00b7 | ", out);
            else
                fprintf(out, i == k ? "**%lld** | " : "%lld | ", (long long)count);
        }
    }
    fputs("\n", out);
}

/* The tags begin with the part that the report is of: "test/accuracy". */
dv_status dv_run_facts_events(const dv_run_facts *facts, const dv_report *report,
                              dv_run_folder *folder)
{
    enum { SCORES = 4, TAG_SIZE = 32 };
    const struct {
        const char *name;
        double value;
    } figures[SCORES] = {
        {"accuracy", (double)dv_confusion_correct(&report->confusion) / (double)report->count},
        {"loss", report->loss},
        {"macro_f1", dv_confusion_macro(&report->confusion).f1},
        {"ece", dv_calibration_error(&report->calibration)},
    };
    char tags[SCORES][TAG_SIZE], *matrix;
    dv_run_score scores[SCORES];
    size_t size;
    for (int i = 0; i < SCORES; i++) {
        snprintf(tags[i], TAG_SIZE, "%s/%s", dv_report_parts[report->part], figures[i].name);
        scores[i] = (dv_run_score){tags[i], figures[i].value};
    }
    DV_TRY(dv_text_of(put_matrix, report, &matrix, &size));
    const dv_run_result result = {
        .epochs = facts->epochs, .scores = scores, .count = SCORES, .matrix = matrix};
    dv_status status = dv_run_events_end(folder, facts->experiment->tree, &result);
    free(matrix);
    return status;
}
