/* Draws accuracy against latency, and writes the comparison as a page. */
#include "engine/base/text.h"
#include "runner/compare/comparison.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* ---- The picture ---- */

enum { WIDTH = 720, HEIGHT = 400, LEFT = 66, RIGHT = 24, TOP = 34, BOTTOM = 50, ACROSS = 6 };

/* The axes: latency in microseconds, logarithmic, and accuracy in per cent. */
typedef struct plane {
    double fast, slow; /* log10 of the ends of the latency axis */
    dv_scale up;
} plane;

/* Only models with the common protocol are shown, because others cannot be compared with them. */
static bool is_shown(const dv_comparison *comparison, const dv_model_figures *model)
{
    return dv_accuracy_known(&model->accuracy) &&
           strcmp(model->accuracy.protocol,
                  dv_common_protocol(comparison->models, comparison->count)) == 0;
}

static plane choose_plane(const dv_comparison *comparison)
{
    plane p = {.fast = INFINITY, .slow = -INFINITY};
    double low = 100, high = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        const dv_model_figures *model = &comparison->models[i];
        if (!is_shown(comparison, model))
            continue;
        p.fast = fmin(p.fast, log10(1e6 * model->p50));
        p.slow = fmax(p.slow, log10(1e6 * model->p50));
        low = fmin(low, 100 * model->accuracy.low);
        high = fmax(high, 100 * model->accuracy.high);
    }
    double room = fmax(0.15, 0.12 * (p.slow - p.fast)); /* for names beside the points */
    p.fast -= room;
    p.slow += room;
    p.up = dv_scale_around(low, high, 8);
    return p;
}

static double place_x(const plane *p, double microseconds)
{
    double share = (log10(microseconds) - p->fast) / (p->slow - p->fast);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double place_y(const plane *p, double percent)
{
    double share = (percent - p->up.low) / (p->up.high - p->up.low);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static void put_tick_across(FILE *out, const plane *p, double microseconds)
{
    double x = place_x(p, microseconds);
    fprintf(out,
            "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
            "text-anchor=\"middle\">%g</text>\n",
            x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, microseconds);
}

/* Draws the axes, with ticks at 1, 2 and 5 times powers of ten. */
static void put_axes(FILE *out, const plane *p)
{
    static const double factors[] = {1, 2, 5};
    fputs("<g class=\"axis\">\n", out);
    for (int power = (int)floor(p->fast); power <= (int)ceil(p->slow); power++) {
        for (int k = 0; k < 3; k++) {
            double value = factors[k] * pow(10, power);
            if (log10(value) >= p->fast && log10(value) <= p->slow)
                put_tick_across(out, p, value);
        }
    }
    for (int i = 0; i < p->up.count; i++) {
        char label[DV_TICK_SIZE];
        double y = place_y(p, dv_scale_tick(&p->up, i));
        dv_scale_label(&p->up, i, label);
        fprintf(out,
                "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%s&#160;%%</text>\n",
                LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, label);
    }
    fprintf(out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">latency of one clip, median, "
            "\u00b5s</text>\n</g>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12);
}

static void put_point(FILE *out, const plane *p, const dv_model_figures *model)
{
    const dv_accuracy *accuracy = &model->accuracy;
    double x = place_x(p, 1e6 * model->p50), y = place_y(p, 100 * dv_accuracy_share(accuracy));
    double low = place_y(p, 100 * accuracy->low), high = place_y(p, 100 * accuracy->high);
    fprintf(out,
            "<g><title>%.2f %% (%.2f to %.2f), %.1f \u00b5s</title>\n<path class=\"line train\" "
            "d=\"M%.1f %.1fV%.1fM%.1f %.1fh10M%.1f %.1fh10\"/>\n"
            "<circle class=\"train\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n",
            100 * dv_accuracy_share(accuracy), 100 * accuracy->low, 100 * accuracy->high,
            1e6 * model->p50, x, low, high, x - 5, low, x - 5, high, x, y);
    bool left = x > (LEFT + WIDTH - RIGHT) / 2.0;
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", left ? x - 9 : x + 9, y - 7,
            left ? "end" : "start");
    dv_svg_short_text(out, model->name, 40);
    fputs("</text></g>\n", out);
}

static void put_head(FILE *out, const dv_comparison *comparison)
{
    fprintf(out, "<text class=\"head\" x=\"%d\" y=\"20\">Accuracy against latency, by ", LEFT);
    dv_svg_text(out, dv_common_protocol(comparison->models, comparison->count));
    fputs("</text>\n", out);
}

/* Draws all models with a comparable accuracy. If `alone`, the picture is a file of its own and
   gets a style and a heading, which a page already has. */
static void put_picture(FILE *out, const dv_comparison *comparison, bool alone)
{
    plane p = choose_plane(comparison);
    fprintf(out,
            "%sviewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\" aria-labelledby=\"picture-title picture-desc\">\n"
            "<title id=\"picture-title\">Accuracy against latency</title>\n"
            "<desc id=\"picture-desc\">Accuracy with its 95 %% interval, per cent, against the "
            "median latency of one clip, microseconds, of the models whose accuracy is known."
            "</desc>\n",
            alone ? DV_SVG_BEGINS : "<svg class=\"picture\" id=\"picture\" ", WIDTH, HEIGHT, WIDTH,
            HEIGHT);
    if (alone)
        fprintf(out, "<style>\n%s</style>\n", dv_html_style);
    if (alone) /* the page has a heading */
        put_head(out, comparison);
    put_axes(out, &p);
    for (size_t i = 0; i < comparison->count; i++) {
        if (is_shown(comparison, &comparison->models[i]))
            put_point(out, &p, &comparison->models[i]);
    }
    fputs("</svg>\n", out);
}

void dv_comparison_svg(const dv_comparison *comparison, FILE *out)
{
    put_picture(out, comparison, true);
}

/* ---- The page ---- */

/* The table has many columns: names stay in one line, and it scrolls if necessary. */
static const char table_style[] =
    "table{font-size:13px}th,td{padding-right:10px;white-space:nowrap}"
    "thead th{white-space:normal}.scroll{overflow-x:auto}\n";

static void put_entry(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    dv_svg_text(out, text);
    fputs("</dd>\n", out);
}

static void put_header(FILE *out, const dv_comparison *comparison)
{
    char text[DV_STRING_SIZE + 32];
    time_t now = time(NULL);
    struct tm date;
    fputs("<header>\n<h1>Models compared</h1>\n<dl>\n", out);
    snprintf(text, sizeof text, "%s, %d thread%s", comparison->options->device, comparison->threads,
             dv_plural((size_t)comparison->threads));
    put_entry(out, "Device", text);
    put_entry(out, "Machine", comparison->machine);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M %z", localtime_r(&now, &date));
    put_entry(out, "Date", text);
    put_entry(out, "Version", "decavox " DV_VERSION);
    fputs("</dl>\n</header>\n", out);
}

static void put_size(FILE *out, const dv_model_figures *model, int precision)
{
    if (model->bytes[precision] < 0)
        fputs("<td></td>", out);
    else
        fprintf(out, "<td>%.3f%s</td>", 1e-6 * (double)model->bytes[precision],
                model->file == precision ? "*" : "");
}

/* Writes one model's row of the table. The mark ! follows figures of a busy machine. */
static void put_row(FILE *out, const dv_model_figures *model)
{
    const dv_accuracy *accuracy = &model->accuracy;
    const char *mark = model->busy ? "!" : "";
    fputs("<tr><th scope=\"row\">", out);
    dv_svg_text(out, model->name);
    fprintf(out, "</th><td>%" PRId64 "</td>", model->parameters);
    put_size(out, model, DV_CHECKPOINT_FP32);
    put_size(out, model, DV_CHECKPOINT_FP16);
    fprintf(
        out,
        "<td>%.3f</td><td>%.1f%s</td><td>%.1f%s</td><td>%.1f%s</td><td>%.1f%s</td><td>%.0f%s</td>"
        "<td>%" PRId64 "</td><td>%.1f</td><td>%.1f%s</td>",
        2e-6 * (double)model->macs, 1e6 * model->p50, mark, 1e6 * model->p99, mark,
        1e6 * model->answer[0], mark, 1e6 * model->answer[1], mark, model->throughput, mark,
        model->batch, 1e-6 * (double)model->peak_memory, 1e3 * model->first_answer, mark);
    if (!dv_accuracy_known(accuracy)) {
        fputs("<td></td><td></td></tr>\n", out);
        return;
    }
    fprintf(out, "<td>%.2f (%.2f to %.2f)</td><td>", 100 * dv_accuracy_share(accuracy),
            100 * accuracy->low, 100 * accuracy->high);
    dv_svg_text(out, accuracy->protocol);
    fputs("</td></tr>\n", out);
}

/* Writes the table of all models, with an explanation of its columns. */
static void put_table(FILE *out, const dv_comparison *comparison)
{
    static const char *const columns[] = {
        "model",        "parameters",   "FP32, MB",        "FP16, MB",        "MFLOPs",
        "p50, \u00b5s", "p99, \u00b5s", "16 kHz, \u00b5s", "48 kHz, \u00b5s", "clips/s",
        "batch",        "peak, MB",     "first, ms",       "accuracy, %",     "protocol"};
    fputs("<section>\n<h2>Measurements</h2>\n<div class=\"scroll\">\n<table>\n<thead><tr>", out);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        fprintf(out, "<th scope=\"col\">%s</th>", columns[i]);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < comparison->count; i++)
        put_row(out, &comparison->models[i]);
    fputs(
        "</tbody>\n</table>\n</div>\n"
        "<p>Sizes on disk, 10<sup>6</sup> bytes: * the file as it is, else what would be "
        "written. MFLOPs are twice the multiply-adds of a clip; p50 and p99 times of the forward "
        "pass of one clip, from features to logits, host to host; 16 and 48&#160;kHz: from a "
        "window's samples at that rate to the answer; clips/s those of the forward pass at the "
        "batch that gives the most. Peak and first: memory and time of a fresh <code>decavox "
        "predict</code> of one file; ! the machine was busy with other work, and on an idle one "
        "it may be faster. Accuracy is told by the model's card, or by the report of its run, with "
        "its 95&#160;% Wilson interval; blank where there is none.</p>\n</section>\n",
        out);
}

static void put_files(FILE *out, const dv_comparison *comparison)
{
    fputs("<section>\n<h2>Files</h2>\n<dl>\n", out);
    for (size_t i = 0; i < comparison->count; i++) {
        const dv_model_figures *model = &comparison->models[i];
        fputs("<dt>", out);
        dv_svg_text(out, model->name);
        fputs("</dt><dd class=\"file\">", out);
        dv_svg_text(out, model->path);
        fprintf(out, ", measured %s</dd>\n", model->date);
    }
    fputs("</dl>\n</section>\n", out);
}

void dv_comparison_html(const dv_comparison *comparison, FILE *out)
{
    bool shown = false;
    for (size_t i = 0; i < comparison->count; i++)
        shown = shown || is_shown(comparison, &comparison->models[i]);
    dv_html_begin(out, "Models compared", table_style);
    put_header(out, comparison);
    fputs("<main>\n", out);
    if (shown) {
        fputs("<section>\n<h2>Accuracy against latency</h2>\n", out);
        put_picture(out, comparison, false);
        fputs("<p>Accuracies by ", out);
        dv_svg_text(out, dv_common_protocol(comparison->models, comparison->count));
        fputs("; others are not to be compared with them.</p>\n</section>\n", out);
    }
    put_table(out, comparison);
    put_files(out, comparison);
    fputs("</main>\n</body>\n</html>\n", out);
}
