/*
 * Pictures for a page: inline SVG that is XML too. Colours and strokes are the page's, by class, so
 * that they follow its light and dark form: see style.c.
 */
#ifndef DV_PAGE_SVG_H
#define DV_PAGE_SVG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How a picture in a file of its own begins. */
#define DV_SVG_BEGINS "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" id=\"picture\" "

/* Text, also for an attribute in double quotes: & < > " ' escaped; what XML does not allow becomes
   '?', and each byte that is no UTF-8 is written as \xNN. */
void dv_svg_text(FILE *out, const char *text);

/* Text of at most `most` characters, the last one an ellipsis where it was longer. */
void dv_svg_short_text(FILE *out, const char *text, int most);

/* Its length in characters. */
int dv__svg_length(const char *text);

/* An element that says what it shows, open. */
void dv__svg_begin(FILE *out, const char *class, const char *id, double width, double height,
                   const char *title);

/* ---- Axes ---- */

/* Ticks at `step` times first .. first + count - 1; the step is 1, 2 or 5 times a power of ten. */
typedef struct dv_scale {
    double low, high; /* of the axis */
    double step;
    int64_t first;
    int count;
} dv_scale;

/* An axis that holds low .. high and ends at ticks, of which there are at most `most` >= 3. What is
   not finite is as 0; where low is high, room is made. */
dv_scale dv_scale_around(double low, double high, int most);

/* An axis from `low` to `high` exactly, with ticks at whole numbers in it. */
dv_scale dv_scale_whole(double low, double high, int most);

double dv_scale_tick(const dv_scale *scale, int tick);

enum { DV_TICK_SIZE = 32 };
/* "0.05", "1200", "2e-7". */
void dv_scale_label(const dv_scale *scale, int tick, char text[DV_TICK_SIZE]);

/* ---- Pictures ---- */

typedef struct dv_line {
    const char *name;     /* in the legend */
    const char *class;    /* of the page's style */
    const double *values; /* (count); what is not finite is left out */
} dv_line;

typedef struct dv_chart {
    const char *id; /* of the elements, unique in the page */
    const char *title;
    const char *unit;     /* behind each tick of the vertical axis; "" for none */
    const double *epochs; /* (count), ascending */
    size_t count;         /* at least 1 */
    const dv_line *lines; /* (line_count); those without a finite value are left out */
    size_t line_count;
} dv_chart;

/* Lines over epochs. */
void dv_svg_lines(FILE *out, const dv_chart *chart);

typedef struct dv_histogram {
    const char *id; /* of the elements, unique in the page */
    const char *title;
    const char *unit;     /* behind each tick of the values; "" for none */
    const double *values; /* (count), finite */
    size_t count;         /* at least 1 */
} dv_histogram;

/* How many values are in each of 40 ranges. */
void dv_svg_histogram(FILE *out, const dv_histogram *histogram);

typedef struct dv_heat {
    const char *id, *title;
    int64_t classes;
    const int64_t *counts;     /* (classes, classes): [true][answered] */
    const char *const *labels; /* (classes) */
} dv_heat;

/* A confusion matrix; the colour is the share of the true class. Cells of 0 stay empty. */
void dv_svg_heat(FILE *out, const dv_heat *heat);

enum { DV_SVG_LEVELS = 10 };

/*
 * The paths of an image of values (rows, columns), row 0 at the bottom, in a field of `columns` by
 * `rows`: for each level above the first the cells that reach it, so that later paths lie on
 * earlier ones. Level l begins at low + l / DV_SVG_LEVELS * (high - low). Classes v1, v2, ...
 */
void dv_svg_levels(FILE *out, const float *values, int64_t rows, int64_t columns, double low,
                   double high);

#endif
