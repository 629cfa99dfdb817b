/* Pictures with two axes. */
#include "runner/page/svg.h"

#include <inttypes.h>
#include <math.h>

/* ---- Axes ---- */

enum { WIDTH = 480, HEIGHT = 270, LEFT = 62, RIGHT = 466, TOP = 40, BOTTOM = 222 };

typedef struct axis_pair {
    dv_scale x, y;
    const char *x_unit, *y_unit; /* units behind each tick */
    const char *name;            /* name of the horizontal axis */
} axis_pair;

static double place_x(const axis_pair *axes, double value)
{
    return LEFT + (value - axes->x.low) / (axes->x.high - axes->x.low) * (RIGHT - LEFT);
}

static double place_y(const axis_pair *axes, double value)
{
    return BOTTOM - (value - axes->y.low) / (axes->y.high - axes->y.low) * (BOTTOM - TOP);
}

/* Draws ticks, grid and frame, and the name of the horizontal axis. */
static void put_axes(FILE *out, const axis_pair *axes)
{
    char label[DV_TICK_SIZE];
    fputs("<g class=\"axis\">\n", out);
    for (int i = 0; i < axes->y.count; i++) {
        double y = place_y(axes, dv_scale_tick(&axes->y, i));
        dv_scale_label(&axes->y, i, label);
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" ", LEFT, y,
                RIGHT, LEFT - 8, y + 4);
        fprintf(out, "text-anchor=\"end\">%s%s</text>\n", label, axes->y_unit);
    }
    for (int i = 0; i < axes->x.count; i++) {
        double x = place_x(axes, dv_scale_tick(&axes->x, i));
        dv_scale_label(&axes->x, i, label);
        fprintf(out, "<path class=\"tick\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" ", x, BOTTOM,
                x, BOTTOM + 19);
        fprintf(out, "text-anchor=\"middle\">%s%s</text>\n", label, axes->x_unit);
    }
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT,
            TOP, RIGHT - LEFT, BOTTOM - TOP);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n</g>\n",
            (LEFT + RIGHT) / 2, BOTTOM + 40, axes->name);
}

static void put_head(FILE *out, const char *title)
{
    fprintf(out, "<text class=\"head\" x=\"%d\" y=\"%d\">", 4, TOP - 14);
    dv_svg_text(out, title);
    fputs("</text>\n", out);
}

/* ---- Lines ---- */

static size_t finite_count(const dv_chart *chart, const dv_line *line)
{
    size_t count = 0;
    for (size_t i = 0; i < chart->count; i++)
        count += isfinite(line->values[i]) != 0;
    return count;
}

/* The vertical axis begins at 0 where that costs the lines less than half of the height. */
static axis_pair choose_axes(const dv_chart *chart)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t l = 0; l < chart->line_count; l++) {
        for (size_t i = 0; i < chart->count; i++) {
            double value = chart->lines[l].values[i];
            low = isfinite(value) ? fmin(low, value) : low;
            high = isfinite(value) ? fmax(high, value) : high;
        }
    }
    if (low > 0 && low < high / 2)
        low = 0;
    return (axis_pair){.x = dv_scale_whole(chart->epochs[0], chart->epochs[chart->count - 1], 9),
                       .y = dv_scale_around(low, high, 7),
                       .x_unit = "",
                       .y_unit = chart->unit,
                       .name = "epoch"};
}

/* Draws a line. A single point is no line and gets a dot. */
static void put_line(FILE *out, const dv_chart *chart, const axis_pair *axes, const dv_line *line)
{
    fprintf(out, "<polyline class=\"line %s\" points=\"", line->class);
    const char *space = "";
    double x = 0, y = 0;
    for (size_t i = 0; i < chart->count; i++) {
        if (!isfinite(line->values[i]))
            continue;
        x = place_x(axes, chart->epochs[i]);
        y = place_y(axes, line->values[i]);
        fprintf(out, "%s%.1f,%.1f", space, x, y);
        space = " ";
    }
    fputs("\"/>\n", out);
    if (finite_count(chart, line) == 1)
        fprintf(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", line->class,
                x, y);
}

/* Marks the best epoch by a line and by a dot on each curve. */
static void put_best(FILE *out, const dv_chart *chart, const axis_pair *axes)
{
    double x = place_x(axes, chart->best);
    bool left = x > (LEFT + RIGHT) / 2.0;
    fprintf(out, "<path class=\"best\" d=\"M%.1f %dV%d\"/>", x, TOP, BOTTOM);
    fprintf(out, "<text class=\"side\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">best: %g</text>\n",
            left ? x - 5 : x + 5, BOTTOM - 8, left ? "end" : "start", chart->best);
    for (size_t l = 0; l < chart->line_count; l++) {
        for (size_t i = 0; i < chart->count; i++) {
            double value = chart->lines[l].values[i];
            if (chart->epochs[i] == chart->best && isfinite(value))
                fprintf(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n",
                        chart->lines[l].class, x, place_y(axes, value));
        }
    }
}

/* Writes the names of the lines from the right on, above the frame. */
static void put_legend(FILE *out, const dv_chart *chart)
{
    double right = RIGHT;
    for (size_t l = chart->line_count; l-- > 0;) {
        const dv_line *line = &chart->lines[l];
        if (finite_count(chart, line) == 0)
            continue;
        right -= 6.4 * dv__svg_length(line->name);
        fprintf(out, "<path class=\"line %s\" d=\"M%.1f %dh24\"/>", line->class, right - 30,
                TOP - 18);
        fprintf(out, "<text x=\"%.1f\" y=\"%d\">", right, TOP - 14);
        dv_svg_text(out, line->name);
        fputs("</text>\n", out);
        right -= 46;
    }
}

static void put_description(FILE *out, const dv_chart *chart)
{
    size_t last = chart->count - 1;
    fprintf(out, "<desc id=\"%s-desc\">Epochs %g to %g.", chart->id, chart->epochs[0],
            chart->epochs[last]);
    for (size_t l = 0; l < chart->line_count; l++) {
        const dv_line *line = &chart->lines[l];
        if (finite_count(chart, line) > 0)
            fprintf(out, " %s: from %.4g%s to %.4g%s.", line->name, line->values[0], chart->unit,
                    line->values[last], chart->unit);
    }
    if (chart->best > 0)
        fprintf(out, " Best epoch: %g.", chart->best);
    fputs("</desc>\n", out);
}

void dv_svg_lines(FILE *out, const dv_chart *chart)
{
    axis_pair axes = choose_axes(chart);
    dv__svg_begin(out, "chart", chart->id, WIDTH, HEIGHT, chart->title);
    put_description(out, chart);
    put_head(out, chart->title);
    put_axes(out, &axes);
    for (size_t l = 0; l < chart->line_count; l++) {
        if (finite_count(chart, &chart->lines[l]) > 0)
            put_line(out, chart, &axes, &chart->lines[l]);
    }
    if (chart->best > 0)
        put_best(out, chart, &axes);
    if (chart->line_count > 1)
        put_legend(out, chart);
    fputs("</svg>\n", out);
}

/* ---- Bars ---- */

enum { BINS = 40 };

typedef struct histogram_bins {
    axis_pair axes;
    size_t counts[BINS];
} histogram_bins;

/* Counts the values in each range of the horizontal axis. The highest count makes the vertical
   one. */
static histogram_bins count_bins(const dv_histogram *histogram)
{
    double low = INFINITY, high = -INFINITY;
    size_t most = 0;
    for (size_t i = 0; i < histogram->count; i++) {
        low = fmin(low, histogram->values[i]);
        high = fmax(high, histogram->values[i]);
    }
    histogram_bins bins = {.axes = {.x = dv_scale_around(low, high, 9),
                                    .x_unit = histogram->unit,
                                    .y_unit = "",
                                    .name = ""}};
    const dv_scale *x = &bins.axes.x;
    for (size_t i = 0; i < histogram->count; i++) {
        double share = (histogram->values[i] - x->low) / (x->high - x->low);
        size_t bin = (size_t)fmin(fmax(share * BINS + 1e-9, 0), BINS - 1);
        bins.counts[bin]++;
        most = bins.counts[bin] > most ? bins.counts[bin] : most;
    }
    bins.axes.y = dv_scale_whole(0, (double)most, 6);
    return bins;
}

static void put_bars(FILE *out, const histogram_bins *bins)
{
    const axis_pair *axes = &bins->axes;
    double step = (axes->x.high - axes->x.low) / BINS;
    for (int i = 0; i < BINS; i++) {
        if (bins->counts[i] == 0)
            continue;
        double from = axes->x.low + i * step, top = place_y(axes, (double)bins->counts[i]);
        fprintf(out,
                "<rect class=\"right\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                "<title>%.4g%s to %.4g%s: %zu</title></rect>\n",
                place_x(axes, from) + 0.5, top, (double)(RIGHT - LEFT) / BINS - 1,
                fmax(BOTTOM - top, 0.5), from, axes->x_unit, from + step, axes->x_unit,
                bins->counts[i]);
    }
}

void dv_svg_histogram(FILE *out, const dv_histogram *histogram)
{
    histogram_bins bins = count_bins(histogram);
    dv__svg_begin(out, "chart", histogram->id, WIDTH, HEIGHT, histogram->title);
    fprintf(out,
            "<desc id=\"%s-desc\">%zu values; a bar for each of %d ranges is as high as the number "
            "of values in it.</desc>\n",
            histogram->id, histogram->count, BINS);
    put_head(out, histogram->title);
    put_axes(out, &bins.axes);
    put_bars(out, &bins);
    fputs("</svg>\n", out);
}

/* ---- Reliability ---- */

/* "312", "12k" */
static void put_short_count(FILE *out, int64_t count)
{
    if (count < 10000)
        fprintf(out, "%" PRId64, count);
    else
        fprintf(out, "%" PRId64 "k", count / 1000);
}

/* Draws the bar of a bin, a line at its mean confidence, and the count above the frame. */
static void put_reliability_bin(FILE *out, const axis_pair *axes, const dv_reliability_bin *bin)
{
    double left = place_x(axes, 100 * bin->low) + 1, right = place_x(axes, 100 * bin->high) - 1;
    double accuracy = place_y(axes, 100 * bin->accuracy);
    fprintf(out,
            "<g><title>confidence %.1f %% to %.1f %%: %" PRId64
            " answers, mean confidence %.2f %%, accuracy %.2f %%</title>\n",
            100 * bin->low, 100 * bin->high, bin->count, 100 * bin->confidence,
            100 * bin->accuracy);
    fprintf(out, "<rect class=\"right\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
            left, accuracy, right - left, BOTTOM - accuracy);
    fprintf(out, "<path class=\"confidence\" d=\"M%.1f %.1fH%.1f\"/>\n", left,
            place_y(axes, 100 * bin->confidence), right);
    fprintf(out, "<text class=\"side\" x=\"%.1f\" y=\"%d\" font-size=\"9\" text-anchor=\"middle\">",
            (left + right) / 2, TOP - 3);
    put_short_count(out, bin->count);
    fputs("</text></g>\n", out);
}

/* Both axes run from 0 to 100 %. */
void dv_svg_reliability(FILE *out, const dv_reliability *diagram)
{
    const axis_pair axes = {.x = dv_scale_around(0, 100, 6),
                            .y = dv_scale_around(0, 100, 6),
                            .x_unit = "",
                            .y_unit = " %",
                            .name = "confidence, %"};
    dv__svg_begin(out, "chart", diagram->id, WIDTH, HEIGHT, diagram->title);
    fprintf(out,
            "<desc id=\"%s-desc\">A bar for each of %zu ranges of confidence is as high as the "
            "share of its answers that is right.</desc>\n",
            diagram->id, diagram->count);
    put_head(out, diagram->title);
    put_axes(out, &axes);
    fprintf(out, "<path class=\"best\" d=\"M%d %dL%d %d\"/>\n", LEFT, BOTTOM, RIGHT, TOP);
    for (size_t i = 0; i < diagram->count; i++) {
        if (diagram->bins[i].count > 0)
            put_reliability_bin(out, &axes, &diagram->bins[i]);
    }
    fputs("</svg>\n", out);
}

/* ---- Intervals ---- */

/* The ends of the axis are rarely 0, so that a bar would mislead. */
void dv_svg_interval(FILE *out, const dv_interval *interval)
{
    enum { ACROSS = 160, UP = 16, ROOM = 5 }; /* for half of the dot */
    double scale = (ACROSS - 2 * ROOM) / (interval->to - interval->from);
    double value = ROOM + (interval->value - interval->from) * scale;
    double low = ROOM + (interval->low - interval->from) * scale;
    double high = ROOM + (interval->high - interval->from) * scale;
    dv__svg_begin(out, "interval", interval->id, ACROSS, UP, interval->title);
    fprintf(out, "<desc id=\"%s-desc\">A dot for the value, and a line for its interval.</desc>\n",
            interval->id);
    fprintf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>", ACROSS, UP);
    fprintf(out, "<path class=\"line train\" d=\"M%.1f 8H%.1f\"/>", low, high);
    fprintf(out, "<circle class=\"train\" cx=\"%.1f\" cy=\"8\" r=\"4\"/>\n</svg>\n", value);
}
