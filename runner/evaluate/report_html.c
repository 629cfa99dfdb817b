/* The pages of a run and of an evaluation. Curves, noise and mistakes have files of their own. */
#include "runner/evaluate/report_html.h"
#include "engine/base/atomic_file.h"
#include "engine/base/shell.h"
#include "engine/base/yaml.h"
#include "runner/experiment/output.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct html_page {
    const dv_report *report;
    const dv_data_config *data;
    const char *title;           /* "lightweight" */
    const char *command;         /* that leads here */
    const char *metrics;         /* path of metrics.csv; NULL: no curves */
    const dv_look *look;         /* at the data; NULL: none */
    const dv_noise_curve *noise; /* NULL: none */
    const char *mistakes;        /* the section; NULL: is not made yet */
} html_page;

/* ---- The header ---- */

/* The text at `section`.`key` of the checkpoint's configuration, "" where there is none. */
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

/* Where the model was trained on other data than these, both are told. */
static void put_data(FILE *out, const html_page *page)
{
    static const char *const names[] = {"training", "validation", "test", "all"};
    const char *trained = configured(page->report, "data", "path");
    char text[64];
    dv_html_entry(out, "Data", page->data->path);
    if (page->report->part != DV_PART_COUNT)
        dv_html_entry(out, "Split", page->data->split);
    snprintf(text, sizeof text, "%s, %lld clips", names[page->report->part],
             (long long)page->report->count);
    dv_html_entry(out, "Part",
                  page->report->count > 0 ? text : "no clips to test or to validate with");
    if (strcmp(trained, page->data->path) != 0)
        dv_html_entry(out, "Trained on", trained);
}

/* Tells which model this is, and by which data and command it was made. */
static void put_header(FILE *out, const html_page *page)
{
    const dv_model *model = page->report->model;
    char text[512];
    time_t now = time(NULL);
    struct tm date;
    fputs("<header>\n<h1>", out);
    dv_svg_text(out, page->title);
    fputs("</h1>\n<dl>\n", out);
    snprintf(text, sizeof text, "%.200s, %lld parameters", page->title,
             (long long)dv_model_parameters(model));
    dv_html_entry(out, "Model", text);
    put_features(out, page->report);
    put_data(out, page);
    dv_html_entry(out, "Seed", configured(page->report, "train", "seed"));
    dv_html_entry(out, "Device", dv_model_device(model));
    dv_html_entry(out, "Command", page->command);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M %z", localtime_r(&now, &date));
    dv_html_entry(out, "Date", text);
    dv_html_entry(out, "Version", "decavox " DV_VERSION);
    fputs("</dl>\n</header>\n", out);
}

/* ---- The result ---- */

/* What the figures are of, beside them: a test, or what the epoch was chosen by. */
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
    if (part == DV_PART_VALIDATION && page->metrics != NULL)
        fputs(", which has no test part: these clips chose the epoch, so this is no test", out);
    fputs("</p>\n", out);
}

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
            "loss %.4f; expected calibration error %.2f&#160;%%</p>\n",
            (long long)correct, (long long)report->count, 100 * low, 100 * high, report->loss,
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
    fputs("<section>\n<h2>Confusion matrix</h2>\n", out);
    dv_svg_heat(out, &heat);
    fputs("</section>\n", out);
}

/* A share, or a dash where there is nothing to share: NaN. */
static void put_share(FILE *out, double share)
{
    if (!isnan(share))
        fprintf(out, "<td>%.2f&#160;%%</td>", 100 * share);
    else
        fputs("<td>\u2013</td>", out);
}

static void put_class(FILE *out, const dv_report *report, int64_t class)
{
    const dv_confusion *confusion = &report->confusion;
    int64_t clips = 0, answers = 0;
    for (int64_t k = 0; k < confusion->classes; k++) {
        clips += confusion->counts[class * confusion->classes + k];
        answers += confusion->counts[k * confusion->classes + class];
    }
    fputs("<tr><th scope=\"row\">", out);
    dv_svg_text(out, dv_model_label(report->model, (size_t) class));
    fprintf(out, "</th><td>%lld</td><td>%lld</td>", (long long)clips, (long long)answers);
    put_share(out, dv_confusion_precision(confusion, class));
    put_share(out, dv_confusion_recall(confusion, class));
    fputs("</tr>\n", out);
}

static void put_classes(FILE *out, const dv_report *report)
{
    fputs("<section>\n<h2>Classes</h2>\n<table>\n<thead><tr><th scope=\"col\">class</th>"
          "<th scope=\"col\">clips</th><th scope=\"col\">answers</th>"
          "<th scope=\"col\">precision</th><th scope=\"col\">recall</th></tr></thead>\n<tbody>\n",
          out);
    for (int64_t k = 0; k < report->confusion.classes; k++)
        put_class(out, report, k);
    fputs("</tbody>\n</table>\n</section>\n", out);
}

void dv__html_findings(FILE *out, const dv_look *look)
{
    if (look->count == 0)
        return;
    fputs("<section>\n<h2>Findings in the data</h2>\n<ul>\n", out);
    for (size_t i = 0; i < look->count; i++) {
        fputs("<li>", out);
        dv_svg_text(out, look->findings[i].text);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n</section>\n", out);
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
        dv__html_noise(out, page->noise);
    if (page->look != NULL)
        dv__html_findings(out, page->look);
    if (page->metrics != NULL)
        DV_TRY(dv__html_curves(out, page->metrics));
    if (answered) {
        put_matrix(out, page->report);
        put_classes(out, page->report);
        DV_TRY(put_mistakes(out, page));
    }
    DV_TRY(put_configuration(out, page->report));
    fputs("</main>\n</body>\n</html>\n", out);
    return DV_OK;
}

static const char *model_name(const dv_report *report)
{
    const char *name = configured(report, "model", "name");
    return name[0] != '\0' ? name : "model";
}

dv_status dv_report_html_run(const dv_report *report, const dv_html_run *run)
{
    char config[DV_RUN_PATH_SIZE], metrics[DV_RUN_PATH_SIZE], path[DV_RUN_PATH_SIZE], count[16];
    char *command;
    dv_run_folder_path(run->folder, "config.yaml", config);
    dv_run_folder_path(run->folder, "metrics.csv", metrics);
    dv_run_folder_path(run->folder, "report.html", path);
    snprintf(count, sizeof count, "%d", run->threads);
    const char *const words[] = {"train", config, "--device", run->device, "--threads", count};
    DV_TRY(dv_shell_command(words, sizeof words / sizeof words[0], &command));
    html_page page = {.report = report,
                      .data = run->data,
                      .title = model_name(report),
                      .command = command,
                      .look = run->look,
                      .metrics = metrics};
    dv_status status = dv_html_store(path, put_page, &page);
    free(command);
    return status;
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
