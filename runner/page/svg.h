/*
 * Pictures for a page: inline SVG that is XML too. Colours and strokes are the page's, by class, so
 * that they follow its light and dark form: see style.c.
 */
#ifndef DV_PAGE_SVG_H
#define DV_PAGE_SVG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The beginning of a picture in a file of its own. */
#define DV_SVG_BEGINS "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" id=\"picture\" "

/* Writes a text, also for an attribute in double quotes: & < > " ' are escaped. What dv_text_show
   escapes becomes \xNN, tabs and ends of lines aside; U+FFFE and U+FFFF, which XML does not allow,
   become '?'. */
void dv_svg_text(FILE *out, const char *text);

/* The same of at most `most` characters. The last one is an ellipsis where the text is longer. */
void dv_svg_short_text(FILE *out, const char *text, int most);

/* The length of a text in characters. */
int dv__svg_length(const char *text);

/* Begins an element with a title. */
void dv__svg_begin(FILE *out, const char *class, const char *id, double width, double height,
                   const char *title);

/* ---- Axes ---- */

/* Ticks at `step` times first .. first + count - 1; the step is 1, 2 or 5 times a power of ten. */
typedef struct dv_scale {
    double low, high; /* ends of the axis */
    double step;
    int64_t first;
    int count;
} dv_scale;

/* An axis that holds low .. high and ends at ticks, of which there are at most `most` >= 3. A value
   that is not finite counts as 0, and a range that is a point is widened. */
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
    const char *class;    /* class in the page's style */
    const double *values; /* (count); values that are not finite are left out */
} dv_line;

typedef struct dv_chart {
    const char *id; /* prefix of the elements' names, unique in the page */
    const char *title;
    const char *unit;     /* unit behind each tick of the vertical axis, which may be empty */
    const double *epochs; /* (count) ascending */
    size_t count;         /* at least 1 */
    const dv_line *lines; /* (line_count); those without a finite value are left out */
    size_t line_count;
    double best; /* epoch that is marked as the best one; 0 stands for none */
} dv_chart;

/* Lines over epochs. */
void dv_svg_lines(FILE *out, const dv_chart *chart);

typedef struct dv_histogram {
    const char *id; /* prefix of the elements' names, unique in the page */
    const char *title;
    const char *unit;     /* unit behind each tick of the values, which may be empty */
    const double *values; /* (count), finite */
    size_t count;         /* at least 1 */
} dv_histogram;

/* The number of values in each of 40 ranges, as bars. */
void dv_svg_histogram(FILE *out, const dv_histogram *histogram);

/* Answers whose confidence is between `low` and `high`. All four shares are 0 to 1. */
typedef struct dv_reliability_bin {
    double low, high;
    double confidence, accuracy; /* means of the answers; of no meaning without any */
    int64_t count;               /* number of answers */
} dv_reliability_bin;

typedef struct dv_reliability {
    const char *id; /* prefix of the elements' names, unique in the page */
    const char *title;
    const dv_reliability_bin *bins; /* (count), ascending, side by side */
    size_t count;
} dv_reliability;

/* A reliability diagram: the accuracy of each bin as a bar, a line at its mean confidence, and its
   number of answers. A dotted diagonal shows where accuracy and confidence are
   the same. */
void dv_svg_reliability(FILE *out, const dv_reliability *diagram);

/* A value with its interval, all between `from` and `to`, the ends of the picture. */
typedef struct dv_interval {
    const char *id; /* prefix of the elements' names, unique in the page */
    const char *title;
    double value, low, high, from, to;
} dv_interval;

/* A value as a dot, and its interval as a line, small enough for a cell of a table. */
void dv_svg_interval(FILE *out, const dv_interval *interval);

typedef struct dv_heat {
    const char *id, *title;
    int64_t classes;
    const int64_t *counts;     /* (classes, classes): [true][answered] */
    const char *const *labels; /* (classes) */
} dv_heat;

/* A confusion matrix. The colour of a cell is its share of the true class; cells of 0 stay empty.
 */
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
