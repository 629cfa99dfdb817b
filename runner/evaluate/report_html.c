/* The pages of a run and of an evaluation. Curves, tables, noise and mistakes have files of their
   own. */
#include "runner/evaluate/report_html.h"
#include "engine/base/shell.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct html_page {
    const dv_report *report;
    const dv_data_config *data;
    const char *title;           /* "lightweight" */
    const char *command;         /* command line that makes the same again */
    const dv_run_facts *facts;   /* facts of the training; NULL on the page of an evaluation */
    const dv_look *look;         /* look at the data, or NULL */
    const dv_noise_curve *noise; /* evaluations in noise, or NULL */
    const char *mistakes;        /* the section; NULL stands for one that is not made yet */
} html_page;

/* ---- The header ---- */

/* The text at `section`.`key` of the checkpoint's configuration, or an empty one. */
static const char *configured(const dv_report *report, const char *section, const char *key)
{
    const dv_tree *config = dv_model_checkpoint(report->model)->config;
    const dv_tree *value = dv_tree_get(dv_tree_get(config, section), key);
    return value != NULL && value->kind == DV_TREE_SCALAR ? value->text : "";
}

static void put_features(FILE *out, const dv_report *report)
{
    const dv_frontend *frontend = dv_model_frontend(report->model);
    const dv_features_config *config = dv_frontend_config(frontend);
    char text[128];
    snprintf(text, sizeof text, "%.20s, %lld \u00d7 %lld, of %g s at %lld Hz",
             configured(report, "features", "type"), (long long)dv_frontend_rows(frontend),
             (long long)dv_frontend_frames(frontend), config->duration,
             (long long)config->sample_rate);
    dv_html_entry(out, "Features", text);
}

/* Names the data, and the data of the training too where these are others. */
static void put_data(FILE *out, const html_page *page)
{
    static const char *const names[] = {"training", "validation", "test", "all"};
    const char *trained = configured(page->report, "data", "path");
    char text[64];
    dv_html_entry(out, "Data", page->facts != NULL ? page->facts->data : page->data->path);
    if (page->report->part != DV_PART_COUNT)
        dv_html_entry(out, "Split", page->data->split);
    snprintf(text, sizeof text, "%s, %lld clips", names[page->report->part],
             (long long)page->report->count);
    dv_html_entry(out, "Part",
                  page->report->count > 0 ? text : "no clips to test or to validate with");
    if (strcmp(trained, page->data->path) != 0)
        dv_html_entry(out, "Trained on", trained);
}

static void put_duration(FILE *out, const dv_run_facts *facts)
{
    char duration[DV_HTML_DURATION_SIZE], text[96];
    dv_html_duration(facts->seconds, duration);
    snprintf(text, sizeof text, "%s for %" PRId64 " epoch%s", duration, facts->epochs,
             dv_plural((size_t)facts->epochs));
    dv_html_entry(out, "Training time", text);
}

/* Tells on which device the training or the evaluation was, and when, by which program. */
static void put_circumstances(FILE *out, const html_page *page)
{
    const dv_run_facts *facts = page->facts;
    char text[160], date[DV_DATE_SIZE];
    dv_date_now(date);
    if (facts == NULL) {
        dv_html_entry(out, "Device", dv_model_device(page->report->model));
        dv_html_entry(out, "Date", date);
        dv_html_entry(out, "Version", "decavox " DV_VERSION);
        return;
    }
    snprintf(text, sizeof text, "%.60s in %.20s, %d thread%s", facts->device, facts->precision,
             facts->threads, facts->threads == 1 ? "" : "s");
    dv_html_entry(out, "Device", text);
    put_duration(out, facts);
    dv_html_entry(out, "Date", facts->date);
    snprintf(text, sizeof text, "decavox " DV_VERSION "%s%.60s",
             facts->commit != NULL ? ", commit " : "", facts->commit != NULL ? facts->commit : "");
    dv_html_entry(out, "Version", text);
}

/* Tells which model this is, and by which data and program it was made. */
static void put_header(FILE *out, const html_page *page)
{
    char text[512];
    fputs("<header>\n<h1>", out);
    dv_svg_text(out, page->title);
    fputs("</h1>\n<dl>\n", out);
    snprintf(text, sizeof text, "%.200s, %lld parameters", page->title,
             (long long)dv_model_parameters(page->report->model));
    dv_html_entry(out, "Model", text);
    put_features(out, page->report);
    put_data(out, page);
    dv_html_entry(out, "Seed", configured(page->report, "train", "seed"));
    put_circumstances(out, page);
    fputs("</dl>\n</header>\n", out);
}

/* ---- The result ---- */

/* Names the part that the figures are of. A part that chose the epoch is no test. */
static void put_part(FILE *out, const html_page *page)
{
    static const char *const names[] = {"training part", "validation part", "test part"};
    dv_part part = page->report->part;
    if (part == DV_PART_COUNT) {
        fputs("<p>of <b>all clips</b></p>\n", out);
        return;
    }
    fprintf(out, "<p>of the <b>%s</b> of the split <b>", names[part]);
    dv_svg_text(out, page->data->split);
    fputs("</b>", out);
    if (part == DV_PART_VALIDATION && page->facts != NULL)
        fputs(", which has no test part: these clips chose the epoch, so this is no test", out);
    fputs("</p>\n", out);
}

/* Writes accuracy, interval, macro F1, loss and calibration error. */
static void put_result(FILE *out, const html_page *page)
{
    const dv_report *report = page->report;
    int64_t correct = dv_confusion_correct(&report->confusion);
    double low, high;
    dv_wilson_interval(correct, report->count, &low, &high);
    fprintf(out, "<section>\n<h2>Result</h2>\n<p class=\"accuracy\">%.2f&#160;%%</p>\n",
            100 * (double)correct / (double)report->count);
    put_part(out, page);
    fprintf(out,
            "<p>%lld of %lld right; 95&#160;%% Wilson interval %.2f&#160;%% to %.2f&#160;%%; "
            "macro F1 %.2f&#160;%%; loss %.4f; expected calibration error %.2f&#160;%%</p>\n",
            (long long)correct, (long long)report->count, 100 * low, 100 * high,
            100 * dv_confusion_macro(&report->confusion).f1, report->loss,
            100 * dv_calibration_error(&report->calibration));
    if (report->skipped > 0)
        fprintf(out, "<p>%zu unreadable file%s left out, %zu of this part</p>\n", report->skipped,
                report->skipped > 1 ? "s" : "", report->missing);
    fputs("</section>\n", out);
}

static void put_matrix(FILE *out, const dv_report *report)
{
    dv_heat heat = {.id = "confusion",
                    .title = "Confusion matrix",
                    .classes = report->confusion.classes,
                    .counts = report->confusion.counts,
                    .labels = report->labels};
    bool wide = heat.classes > 14; /* its numbers are too small to be read on a telephone */
    fprintf(out, "<section>\n<h2>Confusion matrix</h2>\n<div class=\"scroll%s\">\n",
            wide ? " wide" : "");
    dv_svg_heat(out, &heat);
    fputs("</div>\n</section>\n", out);
}

/* ---- The page ---- */

static dv_status put_configuration(FILE *out, const dv_report *report)
{
    char *text;
    DV_TRY(dv_yaml_write(dv_model_checkpoint(report->model)->config, &text));
    fputs("<section>\n<h2>Configuration</h2>\n<details><summary>every key of it</summary>\n<pre>",
          out);
    dv_svg_text(out, text);
    fputs("</pre></details>\n</section>\n", out);
    free(text);
    return DV_OK;
}

static dv_status put_mistakes(FILE *out, const html_page *page)
{
    if (page->mistakes == NULL)
        return dv__html_mistakes(out, page->report);
    fputs(page->mistakes, out);
    return DV_OK;
}

/* Command lines to be copied. */
static void put_commands(FILE *out, const html_page *page)
{
    fprintf(out, "<section>\n<h2>Commands</h2>\n<p>The same %s again:</p>\n",
            page->facts != NULL ? "training" : "evaluation");
    dv_html_command(out, page->command);
    if (page->facts != NULL) {
        fputs("<p>The answer of this model to a sound file:</p>\n", out);
        dv_html_command(out, page->facts->predict);
    }
    fputs("</section>\n", out);
}

/* The curves of the run's metrics.csv. */
static dv_status put_curves(FILE *out, const dv_run_facts *facts)
{
    char metrics[DV_RUN_PATH_SIZE];
    dv_run_folder_path(facts->folder, "metrics.csv", metrics);
    return dv__html_curves(out, metrics, facts);
}

/* Writes the sections in order. Without answered clips those about answers are left out. */
static dv_status put_page(FILE *out, const void *user)
{
    const html_page *page = user;
    dv_html_begin(out, page->title, "");
    put_header(out, page);
    fputs("<main>\n", out);
    bool answered = page->report->count > 0;
    if (answered)
        put_result(out, page);
    if (page->noise != NULL)
        DV_TRY(dv__html_noise(out, page->noise));
    if (page->look != NULL)
        dv__html_findings(out, page->look);
    if (page->facts != NULL)
        DV_TRY(put_curves(out, page->facts));
    if (answered) {
        put_matrix(out, page->report);
        dv__html_classes(out, page->report);
        dv__html_calibration(out, &page->report->calibration);
        DV_TRY(put_mistakes(out, page));
    }
    DV_TRY(dv__html_data(out, page->report->dataset));
    put_commands(out, page);
    DV_TRY(put_configuration(out, page->report));
    fputs("</main>\n</body>\n</html>\n", out);
    return DV_OK;
}

static const char *model_name(const dv_report *report)
{
    const char *name = configured(report, "model", "name");
    return name[0] != '\0' ? name : "model";
}

dv_status dv_report_html_run(const dv_report *report, const dv_run_facts *facts,
                             const dv_look *look)
{
    char path[DV_RUN_PATH_SIZE];
    const html_page page = {.report = report,
                            .data = &facts->experiment->data,
                            .title = model_name(report),
                            .command = facts->repeat,
                            .facts = facts,
                            .look = look};
    dv_run_folder_path(facts->folder, "report.html", path);
    return dv_html_store(path, put_page, &page);
}

static dv_status put_mistakes_of(FILE *out, const void *report)
{
    return dv__html_mistakes(out, report);
}

dv_status dv_report_html_begin(dv_html_eval *eval)
{
    size_t size;
    return dv_html_text(put_mistakes_of, eval->report, &eval->mistakes, &size);
}

dv_status dv_report_html_eval(const dv_html_eval *eval, const char *path)
{
    char *command;
    DV_TRY(dv_shell_command(eval->words, eval->count, &command));
    html_page page = {.report = eval->report,
                      .data = eval->data,
                      .title = model_name(eval->report),
                      .command = command,
                      .noise = eval->curve->count > 0 ? eval->curve : NULL,
                      .mistakes = eval->mistakes};
    dv_status status = dv_html_store(path, put_page, &page);
    free(command);
    return status;
}
