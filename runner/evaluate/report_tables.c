/* The page's sections of numbers: classes, calibration, and the data. */
#include "runner/evaluate/report_html.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- Classes ---- */

static void put_class(FILE *out, const dv_report *report, int64_t class)
{
    const dv_confusion *confusion = &report->confusion;
    fputs("<tr><th scope=\"row\">", out);
    dv_svg_text(out, report->labels[class]);
    fputs("</th>", out);
    dv_html_count(out, dv_confusion_clips(confusion, class));
    dv_html_count(out, dv_confusion_answers(confusion, class));
    dv_html_share(out, dv_confusion_precision(confusion, class));
    dv_html_share(out, dv_confusion_recall(confusion, class));
    dv_html_share(out, dv_confusion_f1(confusion, class));
    fputs("</tr>\n", out);
}

/* Writes a row for each class, and the means below. */
void dv__html_classes(FILE *out, const dv_report *report)
{
    static const char *const columns[] = {"class", "clips", "answers", "precision", "recall", "F1"};
    dv_macro_means means = dv_confusion_macro(&report->confusion);
    fputs("<section>\n<h2>Classes</h2>\n", out);
    dv_html_table_begin(out, "classes", columns, sizeof columns / sizeof columns[0]);
    for (int64_t k = 0; k < report->confusion.classes; k++)
        put_class(out, report, k);
    fprintf(out,
            "<tr class=\"sum\"><th scope=\"row\">macro mean</th><td>%" PRId64 "</td><td>%" PRId64
            "</td>",
            report->count, report->count);
    dv_html_share(out, means.precision);
    dv_html_share(out, means.recall);
    dv_html_share(out, means.f1);
    fputs("</tr>\n", out);
    dv_html_table_end(out);
    fputs("</section>\n", out);
}

/* ---- Calibration ---- */

/* Draws the bins, and names the error below. */
void dv__html_calibration(FILE *out, const dv_calibration *calibration)
{
    dv_reliability_bin bins[DV_CALIBRATION_BINS];
    const dv_reliability diagram = {.id = "reliability",
                                    .title = "accuracy by confidence",
                                    .bins = bins,
                                    .count = DV_CALIBRATION_BINS};
    for (int m = 0; m < DV_CALIBRATION_BINS; m++) {
        const dv_calibration_bin *bin = &calibration->bins[m];
        double count = fmax((double)bin->count, 1);
        bins[m] = (dv_reliability_bin){.low = dv_calibration_edge(m),
                                       .high = dv_calibration_edge(m + 1),
                                       .confidence = bin->confidence / count,
                                       .accuracy = (double)bin->correct / count,
                                       .count = bin->count};
    }
    fputs("<section>\n<h2>Calibration</h2>\n<figure class=\"diagram\">\n", out);
    dv_svg_reliability(out, &diagram);
    fprintf(out,
            "<figcaption>The answers in %d ranges of confidence. A bar shows the share of right "
            "answers, the orange line their mean confidence, and the number above counts the "
            "answers. The expected calibration error (ECE) is the mean distance of bar and line "
            "over all answers: <b>%.2f&#160;%%</b>.</figcaption>\n</figure>\n"
            "</section>\n",
            DV_CALIBRATION_BINS, 100 * dv_calibration_error(calibration));
}

/* ---- Data ---- */

/* Names the first unreadable files. */
static void put_problems(FILE *out, const dv_dataset *dataset)
{
    enum { MOST = 20 };
    if (dataset->skipped == 0)
        return;
    fputs("<details><summary>unreadable files</summary>\n<ul class=\"file\">\n", out);
    for (size_t i = 0; i < dataset->skipped && i < MOST; i++) {
        fputs("<li>", out);
        dv_svg_text(out, dataset->problems[i]);
        fputs("</li>\n", out);
    }
    if (dataset->skipped > MOST)
        fprintf(out, "<li>and %zu more</li>\n", dataset->skipped - MOST);
    fputs("</ul>\n</details>\n", out);
}

/* Writes a table of what was left out by the reason; reasons without a number are not in it. */
static void put_left_out(FILE *out, const dv_dataset *dataset)
{
    static const char *const columns[] = {"left out", "number"};
    const dv_removed_clips *removed = &dataset->removed;
    const struct {
        const char *reason;
        size_t number;
    } rows[] = {{"unreadable files", dataset->skipped},
                {"clips that data.exclude names", removed->excluded},
                {"clips of words that data.labels does not keep", removed->other_words},
                {"test clips of further data", removed->test_of_more},
                {"clips that the training after this one tests", removed->tested_later},
                {"files of kinds that are not read", dataset->left_out.total}};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        sum += rows[i].number;
    if (sum == 0) {
        fputs("<p>Nothing was left out of the data.</p>\n", out);
        return;
    }
    dv_html_table_begin(out, "left-out", columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number > 0)
            fprintf(out, "<tr><th scope=\"row\">%s</th><td>%zu</td></tr>\n", rows[i].reason,
                    rows[i].number);
    }
    dv_html_table_end(out);
    put_problems(out, dataset);
}

dv_status dv__html_data(FILE *out, const dv_dataset *dataset)
{
    size_t *counts;
    DV_TRY(dv_dataset_count(dataset, &counts));
    fputs("<section>\n<h2>Data</h2>\n", out);
    dv_html_parts(out, "parts", dataset, counts);
    put_left_out(out, dataset);
    fputs("</section>\n", out);
    free(counts);
    return DV_OK;
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
