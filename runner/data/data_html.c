#define _DEFAULT_SOURCE /* realpath */
/* Writes the summary of a data set as a page with pictures and playable clips. */
#include "runner/data/data_summary.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HEARD = 2 }; /* clips of each class */

static const char style[] = ".listen{display:flex;flex-wrap:wrap;gap:8px 18px;margin:4px 0 10px}\n"
                            "audio{display:block;width:260px;height:34px}\n"
                            "ul{padding-left:18px}li{margin-bottom:8px;overflow-wrap:anywhere}\n";

typedef struct data_page {
    const dv_data_summary *summary;
    char folder[PATH_MAX]; /* full path of the page's folder */
} data_page;

/* ---- Playable clips ---- */

static void put_escaped(FILE *out, const char *path)
{
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++) {
        bool plain = (*c < 0x80 && isalnum(*c)) || strchr("-._~/", *c) != NULL;
        fprintf(out, plain ? "%c" : "%%%02X", *c);
    }
}

/* Writes the relative path from the page's folder to a file. Both paths are full. */
static void put_relative(FILE *out, const char *folder, const char *file)
{
    size_t common = 0; /* length of the common part, up to a slash */
    for (size_t i = 0; file[i] != '\0'; i++) {
        bool ends = folder[i] == '\0' || folder[i] == '/';
        if (ends && file[i] == '/')
            common = i;
        if (folder[i] == '\0' || folder[i] != file[i])
            break;
    }
    for (const char *c = folder + common; *c != '\0'; c++) {
        if (*c == '/' && c[1] != '\0')
            fputs("../", out);
    }
    put_escaped(out, file + common + 1);
}

/* Writes a player for a clip, or nothing if the file no longer exists. */
static void put_sound(FILE *out, const data_page *page, const dv_clip *clip)
{
    char file[PATH_MAX];
    const char *slash = strrchr(clip->path, '/');
    if (realpath(clip->path, file) == NULL)
        return;
    fputs("<figure><audio controls=\"controls\" preload=\"none\" src=\"", out);
    put_relative(out, page->folder, file);
    fputs("\"></audio><figcaption class=\"file\">", out);
    dv_svg_short_text(out, slash != NULL ? slash + 1 : clip->path, 40);
    fputs("</figcaption></figure>\n", out);
}

/* ---- Sections ---- */

/* Writes the path, the split and the numbers of the whole data set. */
static void put_header(FILE *out, const dv_data_summary *s)
{
    char text[256];
    fputs("<header>\n<h1>Data</h1>\n<dl>\n", out);
    dv_html_entry(out, "Data", s->data->path);
    dv_html_entry(out, "Split", s->data->split);
    snprintf(text, sizeof text, "%zu: %zu training, %zu validation, %zu test", s->dataset->count,
             s->parts[DV_PART_TRAIN], s->parts[DV_PART_VALIDATION], s->parts[DV_PART_TEST]);
    dv_html_entry(out, "Clips", text);
    snprintf(text, sizeof text, "%zu", s->dataset->label_count);
    dv_html_entry(out, "Classes", text);
    snprintf(text, sizeof text, "%zu", s->speaker_count);
    dv_html_entry(out, "Speakers", s->speaker_count > 0 ? text : "not known");
    snprintf(text, sizeof text,
             "least %.2f s, median %.2f s, %.2f s at 95 %%, most %.2f s, total %.1f s",
             dv_data_quantile(s, s->seconds, 0), dv_data_quantile(s, s->seconds, 0.5),
             dv_data_quantile(s, s->seconds, 0.95), dv_data_quantile(s, s->seconds, 1), s->total);
    dv_html_entry(out, "Duration", text);
    dv_html_entry(out, "Version", "decavox " DV_VERSION);
    fputs("</dl>\n</header>\n", out);
}

static void put_findings(FILE *out, const data_page *page)
{
    const dv_data_summary *s = page->summary;
    fputs("<section>\n<h2>Findings</h2>\n", out);
    fputs(s->look->count > 0 ? "<ul>\n" : "<p>none</p>\n", out);
    for (size_t i = 0; i < s->look->count; i++) {
        const dv_finding *finding = &s->look->findings[i];
        fputs("<li>", out);
        dv_svg_text(out, finding->text);
        if (finding->example_count > 0)
            fputs("\n<div class=\"listen\">\n", out);
        for (int k = 0; k < finding->example_count; k++)
            put_sound(out, page, &s->dataset->clips[finding->examples[k]]);
        fputs(finding->example_count > 0 ? "</div></li>\n" : "</li>\n", out);
    }
    fputs(s->look->count > 0 ? "</ul>\n</section>\n" : "</section>\n", out);
}

static void put_pictures(FILE *out, const dv_data_summary *s)
{
    const dv_histogram pictures[] = {{"duration", "Duration of the clips", " s", s->seconds, 0},
                                     {"rms", "RMS of the clips", " dB", s->rms, 0},
                                     {"peak", "Peak of the clips", " dB", s->peak, 0}};
    fputs("<section>\n<h2>Durations and levels</h2>\n<div class=\"charts\">\n", out);
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        dv_histogram picture = pictures[i];
        picture.count = s->dataset->count;
        dv_svg_histogram(out, &picture);
    }
    fputs("</div>\n</section>\n", out);
}

/* Begins a table of two columns: a value, and the number of clips. */
static void begin_table(FILE *out, const char *title, const char *columns)
{
    fprintf(out, "<section>\n<h2>%s</h2>\n<table>\n<thead><tr>%s</tr></thead>\n<tbody>\n", title,
            columns);
}

static void end_table(FILE *out)
{
    fputs("</tbody>\n</table>\n</section>\n", out);
}

static void put_tally(FILE *out, const char *title, const char *column, const dv_tally *tally)
{
    char columns[128];
    snprintf(columns, sizeof columns, "<th scope=\"col\">%s</th><th scope=\"col\">clips</th>",
             column);
    begin_table(out, title, columns);
    for (size_t i = 0; i < tally->count; i++)
        fprintf(out, "<tr><th scope=\"row\">%" PRId64 "</th><td>%zu</td></tr>\n",
                tally->entries[i].value, tally->entries[i].clips);
    end_table(out);
}

static void put_classes(FILE *out, const dv_data_summary *s)
{
    begin_table(out, "Classes",
                "<th scope=\"col\">class</th><th scope=\"col\">training</th>"
                "<th scope=\"col\">validation</th><th scope=\"col\">test</th>"
                "<th scope=\"col\">clips</th>");
    for (size_t i = 0; i < s->dataset->label_count; i++) {
        const size_t *parts = s->classes + i * DV_PART_COUNT;
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, s->dataset->labels[i]);
        fprintf(out, "</th><td>%zu</td><td>%zu</td><td>%zu</td><td>%zu</td></tr>\n",
                parts[DV_PART_TRAIN], parts[DV_PART_VALIDATION], parts[DV_PART_TEST],
                dv_data_class_clips(s, i));
    }
    end_table(out);
}

static void put_speakers(FILE *out, const dv_data_summary *s)
{
    if (s->speaker_count == 0)
        return;
    begin_table(out, "Speakers", "<th scope=\"col\">speaker</th><th scope=\"col\">clips</th>");
    for (size_t i = 0; i < s->speaker_count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, s->speakers[i].name);
        fprintf(out, "</th><td>%zu</td></tr>\n", s->speakers[i].clips);
    }
    end_table(out);
}

static void put_left_out(FILE *out, const dv_file_kinds *kinds)
{
    if (kinds->total == 0)
        return;
    begin_table(out, "Other files", "<th scope=\"col\">ending</th><th scope=\"col\">files</th>");
    for (int i = 0; i < kinds->count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, kinds->list[i].ending);
        fprintf(out, "</th><td>%zu</td></tr>\n", kinds->list[i].files);
    }
    fprintf(out, "<tr><th scope=\"row\">all</th><td>%zu</td></tr>\n", kinds->total);
    end_table(out);
}

/* Writes players for the first clips of each class. */
static dv_status put_sounds(FILE *out, const data_page *page)
{
    const dv_dataset *dataset = page->summary->dataset;
    const dv_clip **heard; /* (labels, HEARD) */
    DV_TRY(dv_calloc(dataset->label_count * HEARD, sizeof *heard, &heard));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip **of_class = heard + (size_t)dataset->clips[i].label * HEARD;
        for (int k = 0; k < HEARD; k++) {
            if (of_class[k] != NULL)
                continue;
            of_class[k] = &dataset->clips[i];
            break;
        }
    }
    fputs("<section>\n<h2>Clips</h2>\n", out);
    for (size_t i = 0; i < dataset->label_count; i++) {
        fputs("<p>", out);
        dv_svg_text(out, dataset->labels[i]);
        fputs("</p>\n<div class=\"listen\">\n", out);
        for (int k = 0; k < HEARD && heard[i * HEARD + (size_t)k] != NULL; k++)
            put_sound(out, page, heard[i * HEARD + (size_t)k]);
        fputs("</div>\n", out);
    }
    fputs("</section>\n", out);
    free(heard);
    return DV_OK;
}

static dv_status put_page(FILE *out, const void *user)
{
    const data_page *page = user;
    const dv_data_summary *s = page->summary;
    dv_html_begin(out, s->data->path, style);
    put_header(out, s);
    fputs("<main>\n", out);
    put_findings(out, page);
    put_pictures(out, s);
    put_classes(out, s);
    put_speakers(out, s);
    put_tally(out, "Sample rates", "Hz", &s->rates);
    put_tally(out, "Channels", "channels", &s->channels);
    put_left_out(out, &s->dataset->left_out);
    DV_TRY(put_sounds(out, page));
    fputs("</main>\n</body>\n</html>\n", out);
    return DV_OK;
}

dv_status dv_data_html(const dv_data_summary *summary, const char *path)
{
    data_page page = {.summary = summary};
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
             slash != NULL ? path : ".");
    if (realpath(folder, page.folder) == NULL)
        return DV_FAIL(DV_EIO, "--html: cannot write '%s': %s", path, strerror(errno));
    return dv_html_store(path, put_page, &page);
}
