/* How often values are there. */
#include "runner/svg.h"

#include <math.h>

enum { WIDTH = 480, HEIGHT = 230, LEFT = 62, RIGHT = 466, TOP = 40, BOTTOM = 186, BINS = 40 };

typedef struct bin_plane {
    dv_scale x, y;
    size_t bins[BINS];
} bin_plane;

static bin_plane count_bins(const dv_histogram *histogram)
{
    bin_plane plane = {.bins = {0}};
    double low = INFINITY, high = -INFINITY;
    size_t most = 0;
    for (size_t i = 0; i < histogram->count; i++) {
        low = fmin(low, histogram->values[i]);
        high = fmax(high, histogram->values[i]);
    }
    plane.x = dv_scale_around(low, high, 9);
    for (size_t i = 0; i < histogram->count; i++) {
        double share = (histogram->values[i] - plane.x.low) / (plane.x.high - plane.x.low);
        size_t bin = (size_t)fmin(fmax(share * BINS + 1e-9, 0), BINS - 1);
        plane.bins[bin]++;
        most = plane.bins[bin] > most ? plane.bins[bin] : most;
    }
    plane.y = dv_scale_whole(0, (double)most, 6);
    return plane;
}

static double place_y(const bin_plane *plane, double value)
{
    return BOTTOM - (value - plane->y.low) / (plane->y.high - plane->y.low) * (BOTTOM - TOP);
}

static void put_axes(FILE *out, const bin_plane *plane, const char *unit)
{
    char label[DV_TICK_SIZE];
    fputs("<g class=\"axis\">\n", out);
    for (int i = 0; i < plane->y.count; i++) {
        double y = place_y(plane, dv_scale_tick(&plane->y, i));
        dv_scale_label(&plane->y, i, label);
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" ", LEFT, y,
                RIGHT, LEFT - 8, y + 4);
        fprintf(out, "text-anchor=\"end\">%s</text>\n", label);
    }
    for (int i = 0; i < plane->x.count; i++) {
        double share =
            (dv_scale_tick(&plane->x, i) - plane->x.low) / (plane->x.high - plane->x.low);
        double x = LEFT + share * (RIGHT - LEFT);
        dv_scale_label(&plane->x, i, label);
        fprintf(out, "<path class=\"tick\" d=\"M%.1f %dv5\"/><text x=\"%.1f\" y=\"%d\" ", x, BOTTOM,
                x, BOTTOM + 19);
        fprintf(out, "text-anchor=\"middle\">%s%s</text>\n", label, unit);
    }
    fputs("</g>\n", out);
}

static void put_bars(FILE *out, const bin_plane *plane, const char *unit)
{
    const double width = (double)(RIGHT - LEFT) / BINS;
    double step = (plane->x.high - plane->x.low) / BINS;
    for (int i = 0; i < BINS; i++) {
        double top = place_y(plane, (double)plane->bins[i]);
        if (plane->bins[i] == 0)
            continue;
        fprintf(out,
                "<rect class=\"right\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                "<title>%.4g%s to %.4g%s: %zu</title></rect>\n",
                LEFT + i * width + 0.5, top, width - 1, fmax(BOTTOM - top, 0.5),
                plane->x.low + i * step, unit, plane->x.low + (i + 1) * step, unit, plane->bins[i]);
    }
}

void dv_svg_histogram(FILE *out, const dv_histogram *histogram)
{
    const char *id = histogram->id;
    bin_plane plane = count_bins(histogram);
    fprintf(out,
            "<svg class=\"chart\" id=\"%s\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "role=\"img\" aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">",
            id, WIDTH, HEIGHT, WIDTH, HEIGHT, id, id, id);
    dv_svg_text(out, histogram->title);
    fprintf(out,
            "</title>\n<desc id=\"%s-desc\">%zu values; a bar for each of %d ranges is as high as "
            "the number of values in it.</desc>\n<text class=\"head\" x=\"4\" y=\"%d\">",
            id, histogram->count, BINS, TOP - 14);
    dv_svg_text(out, histogram->title);
    fputs("</text>\n", out);
    put_axes(out, &plane, histogram->unit);
    put_bars(out, &plane, histogram->unit);
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n</svg>\n",
            LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP);
}
