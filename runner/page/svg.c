/* Text, axes, the heat map of a confusion matrix, and images of levels, as SVG. */
#include "runner/page/svg.h"
#include "engine/base/text.h"

#include <stdlib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- Text ---- */

/* U+FFFE and U+FFFF, which are no characters to XML. */
static bool is_noncharacter(const unsigned char *c)
{
    return c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe;
}

/* Escapes a byte for XML. */
static void put_byte(FILE *out, unsigned char c)
{
    switch (c) {
    case '&':
        fputs("&amp;", out);
        break;
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    case '\'':
        fputs("&#39;", out);
        break;
    default:
        fputc(c, out);
    }
}

/* Writes `most` characters of UTF-8, all of them where `most` is negative. */
static void put_utf8(FILE *out, const char *text, int most)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if ((*c & 0xc0) != 0x80 && most-- == 0)
            return;
        if (is_noncharacter(c)) {
            fputc('?', out);
            c += 2;
        } else {
            put_byte(out, *c);
        }
    }
}

/* Makes a copy, owned by the caller, in which each line and each part between tabs is written as
   dv_text_show does. NULL if there is no memory. */
static char *shown_of(const char *text)
{
    enum { LONGEST = 4 }; /* "\xNN" */
    size_t size = LONGEST * strlen(text) + 1;
    char *part, *shown;
    if (dv_strdup(text, &part) != DV_OK)
        return NULL;
    if (dv_calloc(size, 1, &shown) == DV_OK) {
        char *to = shown;
        for (char *c = part; *c != '\0';) {
            size_t length = strcspn(c, "\t\n");
            char end = c[length];
            c[length] = '\0';
            dv_text_show(c, to, size - (size_t)(to - shown));
            to += strlen(to);
            if (end != '\0')
                *to++ = end;
            c += length + (end != '\0');
        }
    }
    free(part);
    return shown;
}

static void put_text(FILE *out, const char *text, int most)
{
    char *shown = shown_of(text);
    if (shown != NULL)
        put_utf8(out, shown, most);
    free(shown);
}

/* Escaped bytes count with the characters that they are written with. */
int dv__svg_length(const char *text)
{
    char *shown = shown_of(text);
    int length = 0;
    for (const char *c = shown; c != NULL && *c != '\0'; c++)
        length += ((unsigned char)*c & 0xc0) != 0x80;
    free(shown);
    return length;
}

void dv_svg_text(FILE *out, const char *text)
{
    put_text(out, text, -1);
}

void dv_svg_short_text(FILE *out, const char *text, int most)
{
    bool whole = dv__svg_length(text) <= most;
    put_text(out, text, whole ? -1 : most - 1);
    if (!whole)
        fputs("\u2026", out);
}

void dv__svg_begin(FILE *out, const char *class, const char *id, double width, double height,
                   const char *title)
{
    fprintf(out,
            "<svg class=\"%s\" id=\"%s\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" "
            "role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">",
            class, id, width, height, width, height, id, id, id);
    dv_svg_text(out, title);
    fputs("</title>\n", out);
}

/* ---- Axes ---- */

static double finite_or_zero(double value)
{
    double most = 1e300; /* so that no difference overflows */
    return isfinite(value) ? fmin(fmax(value, -most), most) : 0;
}

/* Room around a range that is a point, or so narrow beside its distance from 0 that ticks in it
   could not be told apart. */
static void make_room(double *low, double *high)
{
    double size = fmax(fabs(*low), fabs(*high));
    if (*high - *low > 1e-4 * size && size > 1e-290)
        return;
    double room = size > 1e-290 ? size / 2 : 0.5;
    *high += room;
    *low -= room;
}

static bool set_ticks(dv_scale *scale, bool outward, int most)
{
    double first = scale->low / scale->step, last = scale->high / scale->step;
    double slack = 1e-9; /* 0.3 / 0.1 is a little below 3 */
    first = outward ? floor(first + slack) : ceil(first - slack);
    last = outward ? ceil(last - slack) : floor(last + slack);
    scale->first = (int64_t)first;
    scale->count = (int)fmin(last - first + 1, 1000);
    return scale->count <= most;
}

static void choose_step(dv_scale *scale, double least, bool outward, int most)
{
    static const double factors[] = {1, 2, 5};
    double power = pow(10, floor(log10((scale->high - scale->low) / most)));
    for (int i = 0;; i++) {
        scale->step = factors[i % 3] * power;
        power *= i % 3 == 2 ? 10 : 1;
        if (scale->step >= least && set_ticks(scale, outward, most))
            return;
    }
}

dv_scale dv_scale_around(double low, double high, int most)
{
    dv_scale scale = {.low = finite_or_zero(low), .high = finite_or_zero(high)};
    bool positive = scale.low >= 0;
    make_room(&scale.low, &scale.high);
    if (positive)
        scale.low = fmax(scale.low, 0);
    choose_step(&scale, 0, true, most);
    scale.low = dv_scale_tick(&scale, 0);
    scale.high = dv_scale_tick(&scale, scale.count - 1);
    return scale;
}

dv_scale dv_scale_whole(double low, double high, int most)
{
    dv_scale scale = {.low = finite_or_zero(low), .high = finite_or_zero(high)};
    if (scale.high - scale.low < 1) {
        scale.low -= 0.5;
        scale.high += 0.5;
    }
    choose_step(&scale, 1, false, most);
    return scale;
}

double dv_scale_tick(const dv_scale *scale, int tick)
{
    return (double)(scale->first + tick) * scale->step;
}

void dv_scale_label(const dv_scale *scale, int tick, char text[DV_TICK_SIZE])
{
    double value = dv_scale_tick(scale, tick);
    double largest = fmax(fabs(scale->low), fabs(scale->high));
    int place = (int)floor(log10(scale->step) + 1e-9); /* power of ten of the step's digit */
    if (value == 0) {
        snprintf(text, DV_TICK_SIZE, "0");
    } else if (place >= -4 && largest < 1e6) {
        snprintf(text, DV_TICK_SIZE, "%.*f", place < 0 ? -place : 0, value);
    } else {
        int exponent = (int)floor(log10(largest) + 1e-9); /* the same for all ticks */
        snprintf(text, DV_TICK_SIZE, "%.*fe%d", exponent > place ? exponent - place : 0,
                 value / pow(10, exponent), exponent);
    }
}

/* ---- The heat map ---- */

typedef struct heat_layout {
    double cell, left, top; /* size of a cell, and corner of the first one */
    double font;            /* size of labels; 0 stands for labels too small to be read */
    double count_font;
    bool upright; /* labels of columns stand on end */
} heat_layout;

enum { LONGEST_LABEL = 18 };

static int longest_label(const dv_heat *heat)
{
    int longest = 1;
    for (int64_t k = 0; k < heat->classes; k++) {
        int length = dv__svg_length(heat->labels[k]);
        longest = length > longest ? length : longest;
    }
    return longest < LONGEST_LABEL ? longest : LONGEST_LABEL;
}

static int most_digits(const dv_heat *heat)
{
    int64_t largest = 0;
    for (int64_t i = 0; i < heat->classes * heat->classes; i++)
        largest = heat->counts[i] > largest ? heat->counts[i] : largest;
    return snprintf(NULL, 0, "%" PRId64, largest);
}

static heat_layout lay_out(const dv_heat *heat)
{
    const double character = 0.62; /* its width by its height */
    double classes = (double)heat->classes;
    heat_layout l = {.cell = fmin(fmax(floor(560 / classes), 10), 44)};
    if (classes > 100)
        l.cell = fmax(1000 / classes, 1);
    l.font = fmin(13, 0.95 * l.cell) >= 8 ? fmin(13, 0.95 * l.cell) : 0;
    double label = character * l.font * longest_label(heat);
    l.upright = label > l.cell - 4;
    l.count_font = fmin(13, (l.cell - 4) / (character * most_digits(heat)));
    if (l.count_font < 7)
        l.count_font = 0;
    l.left = 26 + label + 6;
    l.top = 26 + (l.upright ? label : l.font) + 6;
    return l;
}

/* Writes each label beside its row and above its column. Those above stand on end where they are
   wider than a cell. */
static void put_heat_labels(FILE *out, const dv_heat *heat, const heat_layout *l)
{
    for (int64_t k = 0; k < heat->classes && l->font > 0; k++) {
        double middle = ((double)k + 0.5) * l->cell;
        fprintf(out, "<text font-size=\"%.1f\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", l->font,
                l->left - 6, l->top + middle + 0.35 * l->font);
        dv_svg_short_text(out, heat->labels[k], LONGEST_LABEL);
        double x = l->left + middle, y = l->top - 6;
        if (l->upright)
            fprintf(out,
                    "</text><text font-size=\"%.1f\" transform=\"translate(%.1f %.1f) "
                    "rotate(-90)\">",
                    l->font, x + 0.35 * l->font, y);
        else
            fprintf(out,
                    "</text><text font-size=\"%.1f\" x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"middle\">",
                    l->font, x, y);
        dv_svg_short_text(out, heat->labels[k], LONGEST_LABEL);
        fputs("</text>\n", out);
    }
}

/* Right answers and mistakes have a colour each; a mistake is never too pale to be seen. */
static void put_cell(FILE *out, const dv_heat *heat, const heat_layout *l, int64_t truth,
                     int64_t answer, int64_t total)
{
    int64_t count = heat->counts[truth * heat->classes + answer];
    double share = (double)count / (double)total;
    double strength = truth == answer ? 0.08 + 0.92 * share : 0.25 + 0.75 * share;
    double x = l->left + (double)answer * l->cell, y = l->top + (double)truth * l->cell;
    fprintf(out, "<g><title>true ");
    dv_svg_text(out, heat->labels[truth]);
    fprintf(out, ", answered ");
    dv_svg_text(out, heat->labels[answer]);
    fprintf(out,
            ": %" PRId64 "</title><rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
            "height=\"%.1f\" fill-opacity=\"%.2f\"/>",
            count, truth == answer ? "right" : "wrong", x, y, l->cell, l->cell, strength);
    if (l->count_font > 0)
        fprintf(out,
                "<text class=\"%s\" font-size=\"%.1f\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"middle\">%" PRId64 "</text>",
                strength > 0.7 ? "strong" : "weak", l->count_font, x + l->cell / 2,
                y + l->cell / 2 + 0.35 * l->count_font, count);
    fputs("</g>\n", out);
}

static void put_row(FILE *out, const dv_heat *heat, const heat_layout *l, int64_t truth)
{
    int64_t total = 0;
    for (int64_t k = 0; k < heat->classes; k++)
        total += heat->counts[truth * heat->classes + k];
    for (int64_t k = 0; k < heat->classes; k++) {
        if (heat->counts[truth * heat->classes + k] > 0)
            put_cell(out, heat, l, truth, k, total);
    }
}

static void put_grid(FILE *out, const dv_heat *heat, const heat_layout *l)
{
    double size = l->cell * (double)heat->classes;
    fputs("<path class=\"grid\" d=\"", out);
    for (int64_t k = 1; k < heat->classes && l->cell >= 8; k++)
        fprintf(out, "M%.1f %.1fh%.1fM%.1f %.1fv%.1f", l->left, l->top + (double)k * l->cell, size,
                l->left + (double)k * l->cell, l->top, size);
    fprintf(out,
            "\"/>\n<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
            "height=\"%.1f\"/>\n",
            l->left, l->top, size, size);
}

/* The grid comes before the cells, so that they lie on it. */
void dv_svg_heat(FILE *out, const dv_heat *heat)
{
    heat_layout l = lay_out(heat);
    double size = l.cell * (double)heat->classes;
    dv__svg_begin(out, "heat", heat->id, l.left + size + 2, l.top + size + 2, heat->title);
    fprintf(out,
            "<desc id=\"%s-desc\">A row for each of %" PRId64 " true classes, a column for "
            "each answer; the diagonal is right.</desc>\n",
            heat->id, heat->classes);
    fprintf(out,
            "<text class=\"side\" x=\"%.1f\" y=\"14\" text-anchor=\"middle\">answered</text>\n",
            l.left + size / 2);
    fprintf(out,
            "<text class=\"side\" transform=\"translate(14 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">true</text>\n",
            l.top + size / 2);
    put_heat_labels(out, heat, &l);
    put_grid(out, heat, &l);
    for (int64_t i = 0; i < heat->classes; i++)
        put_row(out, heat, &l, i);
    fputs("</svg>\n", out);
}

/* ---- An image ---- */

static int level_of(double value, double low, double high)
{
    double level = high > low ? floor((value - low) / (high - low) * DV_SVG_LEVELS) : 0;
    return (int)fmin(fmax(level, 0), DV_SVG_LEVELS - 1);
}

/* Runs of cells of one row, drawn as strokes of one unit: M to the first, m on to the next. */
static void put_runs(FILE *out, const int *levels, int64_t columns, int64_t y, int level)
{
    int64_t end = -1; /* end of the run before */
    for (int64_t x = 0; x < columns; x++) {
        if (levels[x] < level)
            continue;
        int64_t begin = x;
        while (x + 1 < columns && levels[x + 1] >= level)
            x++;
        if (end < 0)
            fprintf(out, "M%" PRId64 " %" PRId64, begin, y);
        else
            fprintf(out, "m%" PRId64 " 0", begin - end);
        end = x + 1;
        fprintf(out, "h%" PRId64, end - begin);
    }
}

void dv_svg_levels(FILE *out, const float *values, int64_t rows, int64_t columns, double low,
                   double high)
{
    enum { MOST_COLUMNS = 512 };
    int levels[MOST_COLUMNS];
    columns = columns < MOST_COLUMNS ? columns : MOST_COLUMNS;
    for (int level = 1; level < DV_SVG_LEVELS; level++) {
        fprintf(out, "<path class=\"v%d\" d=\"", level);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t x = 0; x < columns; x++)
                levels[x] = level_of(values[r * columns + x], low, high);
            put_runs(out, levels, columns, rows - 1 - r, level);
        }
        fputs("\"/>\n", out);
    }
}
