/* Writes the summary of a data set as a page with pictures and playable clips. */
#include "runner/data/data_summary.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

enum { HEARD = 2 }; /* clips of each class */

/* The material of the page. */
typedef struct data_page {
    const dv_data_summary *summary;
    char folder[PATH_MAX]; /* full path of the page's folder */
} data_page;

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
            dv_html_sound_file(out, page->folder, s->dataset->clips[finding->examples[k]].path);
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

/* A section of a table with two columns: the thing that is counted, and its number. */
static void begin_table(FILE *out, const char *title, const char *id, const char *thing,
                        const char *number)
{
    const char *const columns[] = {thing, number};
    fprintf(out, "<section>\n<h2>%s</h2>\n", title);
    dv_html_table_begin(out, id, columns, 2);
}

static void end_table(FILE *out)
{
    dv_html_table_end(out);
    fputs("</section>\n", out);
}

static void put_number(FILE *out, const char *thing, size_t number)
{
    fputs("<tr><th scope=\"row\">", out);
    dv_svg_text(out, thing);
    fputs("</th>", out);
    dv_html_count(out, (int64_t)number);
    fputs("</tr>\n", out);
}

static void put_tally(FILE *out, const char *title, const char *id, const char *thing,
                      const dv_tally *tally)
{
    char text[32];
    begin_table(out, title, id, thing, "clips");
    for (size_t i = 0; i < tally->count; i++) {
        snprintf(text, sizeof text, "%" PRId64, tally->entries[i].value);
        put_number(out, text, tally->entries[i].clips);
    }
    end_table(out);
}

static void put_classes(FILE *out, const dv_data_summary *s)
{
    fputs("<section>\n<h2>Classes</h2>\n", out);
    dv_html_parts(out, "parts", s->dataset, s->classes);
    fputs("</section>\n", out);
}

static void put_speakers(FILE *out, const dv_data_summary *s)
{
    if (s->speaker_count == 0)
        return;
    begin_table(out, "Speakers", "speakers", "speaker", "clips");
    for (size_t i = 0; i < s->speaker_count; i++)
        put_number(out, s->speakers[i].name, s->speakers[i].clips);
    end_table(out);
}

static void put_left_out(FILE *out, const dv_file_kinds *kinds)
{
    if (kinds->total == 0)
        return;
    begin_table(out, "Other files", "other-files", "ending", "files");
    for (int i = 0; i < kinds->count; i++)
        put_number(out, kinds->list[i].ending, kinds->list[i].files);
    put_number(out, "all", kinds->total);
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
            dv_html_sound_file(out, page->folder, heard[i * HEARD + (size_t)k]->path);
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
    dv_html_begin(out, s->data->path, "");
    put_header(out, s);
    fputs("<main>\n", out);
    put_findings(out, page);
    put_pictures(out, s);
    put_classes(out, s);
    put_speakers(out, s);
    put_tally(out, "Sample rates", "rates", "Hz", &s->rates);
    put_tally(out, "Channels", "channels", "channels", &s->channels);
    put_left_out(out, &s->dataset->left_out);
    DV_TRY(put_sounds(out, page));
    fputs("</main>\n</body>\n</html>\n", out);
    return DV_OK;
}

dv_status dv_data_html(const dv_data_summary *summary, const char *path)
{
    data_page page = {.summary = summary};
    dv_status status = dv_html_folder(path, page.folder);
    if (status != DV_OK)
        return dv_fail_within(status, "--html");
    return dv_html_store(path, put_page, &page);
}
