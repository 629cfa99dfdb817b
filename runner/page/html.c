/* Writes the head of a page, entries and tables, and stores pages whole or not at all. */
#include "runner/page/html.h"
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void dv_html_begin(FILE *out, const char *title, const char *more)
{
    fputs(DV_HTML_BEGINS
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    dv_svg_text(out, title);
    fprintf(out, " \u2013 decavox</title>\n<style>\n%s%s</style>\n</head>\n<body>\n", dv_html_style,
            more);
}

void dv_html_duration(double seconds, char text[DV_HTML_DURATION_SIZE])
{
    int64_t whole = seconds < 1e15 ? llround(seconds) : (int64_t)1e15;
    if (seconds < 60)
        snprintf(text, DV_HTML_DURATION_SIZE, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(text, DV_HTML_DURATION_SIZE, "%" PRId64 " min %" PRId64 " s", whole / 60,
                 whole % 60);
    else
        snprintf(text, DV_HTML_DURATION_SIZE, "%" PRId64 " h %" PRId64 " min", whole / 3600,
                 whole / 60 % 60);
}

void dv_html_entry(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    dv_svg_text(out, text);
    fputs("</dd>\n", out);
}

void dv_html_command(FILE *out, const char *command)
{
    fputs("<pre class=\"command\">", out);
    dv_svg_text(out, command);
    fputs("</pre>\n", out);
}

/* A page that is written into a text, and what came of it. */
typedef struct page {
    dv_status (*put)(FILE *out, const void *user);
    const void *user;
    dv_status *status;
} page;

static void write_page(const void *user, FILE *out)
{
    const page *p = user;
    *p->status = p->put(out, p->user);
}

dv_status dv_html_text(dv_status (*put)(FILE *out, const void *user), const void *user, char **text,
                       size_t *size)
{
    dv_status status = DV_OK;
    const page p = {put, user, &status};
    DV_TRY(dv_text_of(write_page, &p, text, size));
    if (status != DV_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

dv_status dv_html_store(const char *path, dv_status (*put)(FILE *out, const void *user),
                        const void *user)
{
    char *text;
    size_t size;
    DV_TRY(dv_html_text(put, user, &text, &size));
    dv_status status = dv_atomic_file_store(path, text, size);
    free(text);
    return status;
}

/* ---- Tables ---- */

void dv_html_table_begin(FILE *out, const char *id, const char *const *columns, size_t count)
{
    fprintf(out, "<div class=\"scroll\">\n<table id=\"%s\">\n<thead><tr>", id);
    for (size_t i = 0; i < count; i++) {
        fputs("<th scope=\"col\">", out);
        dv_svg_text(out, columns[i]);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

void dv_html_table_end(FILE *out)
{
    fputs("</tbody>\n</table>\n</div>\n", out);
}

void dv_html_count(FILE *out, int64_t count)
{
    fprintf(out, "<td>%" PRId64 "</td>", count);
}

void dv_html_share(FILE *out, double share)
{
    if (!isnan(share))
        fprintf(out, "<td>%.2f&#160;%%</td>", 100 * share);
    else
        fputs("<td>\u2013</td>", out);
}

/* Writes a row of the table of parts, and the sum of its counts as the last cell. */
static void put_parts(FILE *out, const size_t counts[DV_PART_COUNT])
{
    size_t sum = 0;
    for (int part = 0; part < DV_PART_COUNT; part++) {
        dv_html_count(out, (int64_t)counts[part]);
        sum += counts[part];
    }
    dv_html_count(out, (int64_t)sum);
    fputs("</tr>\n", out);
}

/* A row for each class, and one for all of them. */
void dv_html_parts(FILE *out, const char *id, const dv_dataset *dataset, const size_t *counts)
{
    static const char *const columns[] = {"class", "training", "validation", "test", "clips"};
    size_t sums[DV_PART_COUNT] = {0};
    dv_html_table_begin(out, id, columns, sizeof columns / sizeof columns[0]);
    for (size_t k = 0; k < dataset->label_count; k++) {
        const size_t *parts = counts + k * DV_PART_COUNT;
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, dataset->labels[k]);
        fputs("</th>", out);
        put_parts(out, parts);
        for (int part = 0; part < DV_PART_COUNT; part++)
            sums[part] += parts[part];
    }
    fputs("<tr class=\"sum\"><th scope=\"row\">all classes</th>", out);
    put_parts(out, sums);
    dv_html_table_end(out);
}
