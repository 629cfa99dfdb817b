#define _DEFAULT_SOURCE /* realpath */
/* The runs of a folder as a page, with links to their reports. */
#include "engine/base/text.h"
#include "runner/experiment/run_folder.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"
#include "runner/runs/runs.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct runs_page {
    const dv_run_list *list;
    char folder[PATH_MAX]; /* folder that the page is in */
} runs_page;

/* A run has one line. Its table is wider than those of other pages. */
static const char style[] =
    "body{max-width:1400px}table{font-size:14px}td,th{white-space:nowrap;padding-right:14px}"
    "td.left,th:nth-child(2),th:last-child{text-align:left}.interval{width:160px;min-width:160px;"
    "height:16px}"
    "td.date{color:var(--soft)}\n";

/* ---- Cells ---- */

/* The name of the run, which leads to its report where there is one. */
static void put_name(FILE *out, const runs_page *page, const dv_run_entry *entry)
{
    char path[DV_RUN_PATH_SIZE + 16], file[PATH_MAX];
    snprintf(path, sizeof path, "%s/report.html", entry->path);
    bool linked = realpath(path, file) != NULL;
    if (linked) {
        fputs("<a href=\"", out);
        dv_html_relative(out, page->folder, file);
        fputs("\">", out);
    }
    dv_svg_text(out, entry->name[0] != '\0' ? entry->name : entry->path);
    if (linked)
        fputs("</a>", out);
}

static void put_text(FILE *out, const char *class, const char *text)
{
    fprintf(out, "<td class=\"%s\">", class);
    dv_svg_text(out, text[0] != '\0' ? text : "\u2013");
    fputs("</td>", out);
}

static void put_number(FILE *out, int64_t number)
{
    if (number < 0)
        fputs("<td>\u2013</td>", out);
    else
        dv_html_count(out, number);
}

/* The date up to the minute. A text that is no date may have longer characters, none of which is
   cut. */
static void put_date(FILE *out, const char *date)
{
    enum { LONGEST = 16 };
    char cut[LONGEST + 1];
    size_t length = strlen(date);
    length = length < LONGEST ? length : LONGEST;
    while (length > 0 && (date[length] & 0xC0) == 0x80)
        length--;
    memcpy(cut, date, length);
    cut[length] = '\0';
    put_text(out, "date", cut);
}

static void put_seconds(FILE *out, double seconds)
{
    char text[DV_HTML_DURATION_SIZE] = "\u2013";
    if (isfinite(seconds))
        dv_html_duration(seconds, text);
    put_text(out, "duration", text);
}

/* ---- A group ---- */

/* The lower end of the charts of a group: a multiple of 10 % below all intervals. */
static double lower_end(const dv_run_list *list, size_t first, size_t end)
{
    double low = 1;
    for (size_t i = first; i < end; i++)
        low = fmin(low, list->entries[i].low);
    return fmin(floor(low * 10) / 10, 0.9);
}

/* Writes the row of a run; `number` makes the names of its elements unique. */
static void put_run(FILE *out, const runs_page *page, size_t number, double lower)
{
    const dv_run_entry *entry = &page->list->entries[number];
    char id[32], title[96];
    snprintf(id, sizeof id, "interval-%zu", number + 1);
    snprintf(title, sizeof title, "%.2f %% (%.2f to %.2f)", 100 * dv_run_accuracy(entry),
             100 * entry->low, 100 * entry->high);
    const dv_interval interval = {.id = id,
                                  .title = title,
                                  .value = dv_run_accuracy(entry),
                                  .low = entry->low,
                                  .high = entry->high,
                                  .from = lower,
                                  .to = 1};
    fputs("<tr><th scope=\"row\">", out);
    put_name(out, page, entry);
    fputs("</th>", out);
    put_text(out, "left", entry->model);
    dv_html_share(out, dv_run_accuracy(entry));
    fputs("<td>", out);
    dv_svg_interval(out, &interval);
    fprintf(out, "</td><td>%.2f to %.2f</td>", 100 * entry->low, 100 * entry->high);
    dv_html_share(out, entry->f1);
    dv_html_share(out, entry->ece);
    put_number(out, entry->epochs);
    put_number(out, entry->best_epoch);
    put_seconds(out, entry->seconds);
    put_date(out, entry->date);
    put_text(out, "left file", entry->data);
    fputs("</tr>\n", out);
}

/* Writes the runs on the same clips, best first, as the group with a number. */
static void put_group(FILE *out, const runs_page *page, size_t number, size_t first, size_t end)
{
    const dv_run_entry *best = &page->list->entries[first];
    double lower = lower_end(page->list, first, end);
    char id[32], scale[32];
    const char *const columns[] = {"run",           "model",         "accuracy", scale,
                                   "95 % interval", "macro F1",      "ECE",      "epochs",
                                   "best",          "training time", "date",     "data"};
    snprintf(id, sizeof id, "group-%zu", number);
    snprintf(scale, sizeof scale, "%.0f to 100 %%", 100 * lower);
    fputs("<section>\n<h2>", out);
    dv_svg_text(out, best->split);
    fprintf(out, ", %s part, %" PRId64 " clip%s</h2>\n", best->part, best->count,
            dv_plural((size_t)best->count));
    fprintf(out, "<p>%zu run%s on the same clips (mark %.8s)%s.</p>\n", end - first,
            end - first == 1 ? "" : "s", best->mark,
            end - first == 1 ? "" : ", the best one first");
    if (strcmp(best->part, "validation") == 0)
        fputs("<p>These clips chose the epochs, so this is no test.</p>\n", out);
    dv_html_table_begin(out, id, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = first; i < end; i++)
        put_run(out, page, i, lower);
    dv_html_table_end(out);
    fputs("</section>\n", out);
}

/* ---- The page ---- */

static void put_header(FILE *out, const runs_page *page)
{
    char text[64];
    time_t now = time(NULL);
    struct tm local;
    size_t shown = page->list->shown;
    fputs("<header>\n<h1>Runs</h1>\n<dl>\n", out);
    dv_html_entry(out, "Folder", page->list->folder);
    snprintf(text, sizeof text, "%zu with an accuracy, %zu without", shown,
             page->list->count - shown);
    dv_html_entry(out, "Runs", text);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M %z", localtime_r(&now, &local));
    dv_html_entry(out, "Date", text);
    dv_html_entry(out, "Version", "decavox " DV_VERSION);
    fputs("</dl>\n</header>\n", out);
}

static void put_others(FILE *out, const runs_page *page)
{
    static const char *const columns[] = {"run", "why it has no accuracy here"};
    size_t shown = page->list->shown;
    if (shown == page->list->count)
        return;
    fputs("<section>\n<h2>Other runs</h2>\n", out);
    dv_html_table_begin(out, "others", columns, 2);
    for (size_t i = shown; i < page->list->count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        put_name(out, page, &page->list->entries[i]);
        fputs("</th>", out);
        put_text(out, "left", page->list->entries[i].reason);
        fputs("</tr>\n", out);
    }
    dv_html_table_end(out);
    fputs("</section>\n", out);
}

static dv_status put_page(FILE *out, const void *user)
{
    const runs_page *page = user;
    size_t shown = page->list->shown;
    dv_html_begin(out, "Runs", style);
    put_header(out, page);
    fputs("<main>\n", out);
    if (dv_runs_group_end(page->list, 0) < shown)
        fputs("<p>Each section is of other clips. Accuracies of different sections cannot be "
              "compared.</p>\n",
              out);
    for (size_t number = 1, first = 0, end; first < shown; first = end, number++) {
        end = dv_runs_group_end(page->list, first);
        put_group(out, page, number, first, end);
    }
    put_others(out, page);
    fputs("</main>\n</body>\n</html>\n", out);
    return DV_OK;
}

dv_status dv_runs_html(const dv_run_list *list, const char *path)
{
    runs_page page = {.list = list};
    dv_status status = dv_html_folder(path, page.folder);
    if (status != DV_OK)
        return dv_fail_within(status, "--html");
    return dv_html_store(path, put_page, &page);
}
