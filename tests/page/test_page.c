/* Pictures of the report's page: ticks, text, cells, levels, and the front-end of the pictures. */
#include "runner/evaluate/report_html.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Axes ---- */

/* Whether the step is 1, 2 or 5 times a power of ten. */
static bool is_round(double step)
{
    double digit = step / pow(10, floor(log10(step) + 1e-9));
    return fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 || fabs(digit - 5) < 1e-6;
}

static void test_ticks_around(void **state)
{
    (void)state;
    static const double values[] = {0,    1e-300, 1e-9, 0.0003, 0.05, 0.3,    0.7,   1,
                                    2.31, 6.67,   9.99, 10,     99.8, 100,    1234,  1e5,
                                    1e12, 1e300,  -1,   -0.02,  -7e4, -1e300, 0.299, 3e-5};
    enum { COUNT = sizeof values / sizeof values[0] };
    for (int i = 0; i < COUNT * COUNT; i++) {
        double low = fmin(values[i / COUNT], values[i % COUNT]);
        double high = fmax(values[i / COUNT], values[i % COUNT]);
        for (int most = 3; most <= 9; most++) {
            dv_scale scale = dv_scale_around(low, high, most);
            double slack = 1e-8 * scale.step;
            assert_true(is_round(scale.step));
            assert_in_range(scale.count, 2, most);
            assert_true(scale.low <= low + slack && scale.high >= high - slack);
            assert_true(scale.low < scale.high);
            assert_true(low < 0 || scale.low >= 0);
            assert_true(dv_scale_tick(&scale, 0) == scale.low);
            assert_true(dv_scale_tick(&scale, scale.count - 1) == scale.high);
        }
    }
    dv_scale nothing = dv_scale_around(INFINITY, NAN, 7);
    assert_true(nothing.low == 0 && nothing.high >= 0.5 && isfinite(nothing.high));
}

static void test_ticks_at_whole_epochs(void **state)
{
    (void)state;
    for (int64_t last = 1; last < 2000; last += 1 + last / 7) {
        for (int64_t first = 1; first <= last; first += 1 + first / 2) {
            dv_scale scale = dv_scale_whole((double)first, (double)last, 9);
            assert_in_range(scale.count, 1, 9);
            assert_true(scale.step >= 1 && is_round(scale.step));
            assert_true(dv_scale_tick(&scale, 0) >= (double)first);
            assert_true(dv_scale_tick(&scale, scale.count - 1) <= (double)last);
            assert_true(scale.low <= (double)first && scale.high >= (double)last);
            assert_true(scale.low < scale.high);
        }
    }
}

static void assert_labels(double low, double high, const char *want)
{
    char got[256] = "", label[DV_TICK_SIZE];
    dv_scale scale = dv_scale_around(low, high, 6);
    for (int i = 0; i < scale.count; i++) {
        dv_scale_label(&scale, i, label);
        strcat(strcat(got, i > 0 ? " " : ""), label);
    }
    assert_string_equal(got, want);
}

static void test_labels_of_ticks(void **state)
{
    (void)state;
    assert_labels(0, 1, "0 0.2 0.4 0.6 0.8 1.0");
    assert_labels(0, 0.3, "0 0.1 0.2 0.3");
    assert_labels(97.3, 99.8, "97 98 99 100");
    assert_labels(-3, 2, "-3 -2 -1 0 1 2");
    assert_labels(0, 0.001, "0 0.0002 0.0004 0.0006 0.0008 0.0010");
    assert_labels(0, 2.5e-7, "0 0.5e-7 1.0e-7 1.5e-7 2.0e-7 2.5e-7");
    assert_labels(0, 12345678, "0 0.5e7 1.0e7 1.5e7");
    assert_labels(20000, 65536, "20000 30000 40000 50000 60000 70000");
    assert_labels(0.3, 0.3, "0.1 0.2 0.3 0.4 0.5");
    assert_labels(0, 0, "0 0.1 0.2 0.3 0.4 0.5");
}

/* ---- Text ---- */

static char *written; /* the last picture of a test */
static size_t written_size;

static FILE *begin(void)
{
    FILE *out = open_memstream(&written, &written_size);
    assert_non_null(out);
    return out;
}

static void assert_text(const char *text, int most, const char *want)
{
    FILE *out = begin();
    if (most > 0)
        dv_svg_short_text(out, text, most);
    else
        dv_svg_text(out, text);
    fclose(out);
    assert_string_equal(written, want);
    free(written);
}

static void test_text(void **state)
{
    (void)state;
    assert_text("<b>&\"'", 0, "&lt;b&gt;&amp;&quot;&#39;");
    assert_text("stra\u00dfe \u4e03 \U0001f600", 0, "stra\u00dfe \u4e03 \U0001f600");
    assert_text("\xc3\xa9\xe9<", 0, "\xc3\xa9\\xE9&lt;"); /* a byte that is not UTF-8 */
    assert_text("a\x01\x1f\x7f\tb\nc\r", 0, "a\\x01\\x1F\\x7F\tb\nc\\x0D");
    assert_text("a\uffff\ufffe\ufffd", 0, "a??\ufffd");
    assert_text("\xed\xa0\x80", 0, "\\xED\\xA0\\x80"); /* half of a surrogate pair */
    assert_text("a\u202eb\xC2\x9B", 0, "a\\xE2\\x80\\xAEb\\xC2\\x9B"); /* they act on a page, too */
    assert_text("", 0, "");
    assert_text("\t\n\n", 0, "\t\n\n");
    assert_text("seven", 5, "seven");
    assert_text("sevens", 5, "seve\u2026");
    assert_text("\u4e03\u4e03&\u4e03", 3, "\u4e03\u4e03\u2026");
    assert_text("\xe9\xe9\xe9", 12, "\\xE9\\xE9\\xE9");
}

/* ---- Pictures ---- */

static int occurrences(const char *part)
{
    int count = 0;
    for (const char *at = written; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void test_lines_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    const double epochs[] = {1, 2, 3, 4}, train[] = {2, INFINITY, 0.5, NAN};
    const double none[] = {NAN, NAN, NAN, NAN}, one[] = {NAN, 1, NAN, NAN};
    const dv_line lines[] = {{"training", "a", train}, {"nothing", "b", none}, {"dot", "c", one}};
    dv_chart chart = {"loss", "lo<ss", "", epochs, 4, lines, 3, 3};
    FILE *out = begin();
    dv_svg_lines(out, &chart);
    fclose(out);
    assert_int_equal(occurrences("<polyline"), 2);
    assert_non_null(strstr(written, "points=\"62.0,40.0 331.3,176.5\"")); /* 2 and 0.5 of 0..2 */
    assert_int_equal(occurrences("<circle class=\"dot c\""), 1);
    assert_int_equal(occurrences("lo&lt;ss"), 2);
    assert_int_equal(occurrences("Best epoch: 3."), 1); /* only one line has a value there */
    assert_int_equal(occurrences("<path class=\"best\" d=\"M331.3 40V222\"/>"), 1);
    assert_int_equal(occurrences("<circle class=\"dot a\" cx=\"331.3\" cy=\"176.5\" r=\"4\"/>"), 1);
    assert_int_equal(occurrences("<circle"), 2);
    assert_null(strstr(written, ">nothing<"));
    free(written);
}

static void test_reliability(void **state)
{
    (void)state;
    const dv_reliability_bin bins[] = {{0, 0.5, 0.25, 0.5, 12345}, {0.5, 1, 0, 0, 0}};
    const dv_reliability diagram = {"reliability", "Title", bins, 2};
    FILE *out = begin();
    dv_svg_reliability(out, &diagram);
    fclose(out);
    assert_int_equal(occurrences("<g><title>"), 1); /* a bin without answers is not drawn */
    assert_non_null(strstr(written, "x=\"63.0\" y=\"131.0\" width=\"200.0\" height=\"91.0\""));
    assert_non_null(strstr(written, "<path class=\"confidence\" d=\"M63.0 176.5H263.0\"/>"));
    assert_int_equal(occurrences(">12k</text>"), 1);
    assert_int_equal(occurrences("12345 answers, mean confidence 25.00 %, accuracy 50.00 %"), 1);
    free(written);
}

/* The bytes of three samples: the head, and 0, the largest and the smallest number. */
static void test_sound(void **state)
{
    (void)state;
    const float samples[] = {0, 1.5f, -1};
    FILE *out = begin();
    dv_html_sound(out, samples, 3, 8000);
    fclose(out);
    assert_non_null(strstr(written,
                           "base64,UklGRioAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQYA"
                           "AAAAAP9/AYA=\"></audio>"));
    assert_int_equal(dv_html_sound_size(3), 68);
    free(written);
}

static void assert_way(const char *folder, const char *file, const char *want)
{
    FILE *out = begin();
    dv_html_relative(out, folder, file);
    fclose(out);
    assert_string_equal(written, want);
    free(written);
}

static void test_ways_to_files(void **state)
{
    (void)state;
    assert_way("/a/b", "/a/b/c.wav", "c.wav");
    assert_way("/a/b", "/a/bc/d", "../bc/d");
    assert_way("/a/b/c", "/a/x y#.wav", "../../x%20y%23.wav");
    assert_way("/", "/a", "a");
    assert_way("/a", "/b/\xe9", "../b/%E9");
}

static void draw_heat(int64_t classes, int64_t right)
{
    int64_t *counts = calloc((size_t)(classes * classes), sizeof *counts);
    const char **labels = calloc((size_t)classes, sizeof *labels);
    for (int64_t k = 0; k < classes; k++) {
        labels[k] = k == 0 ? "<b>&\"" : "word";
        counts[k * classes + k] = right;
    }
    counts[classes - 1] = 3; /* the first class is taken for the last */
    dv_heat heat = {"matrix", "Matrix", classes, counts, labels};
    FILE *out = begin();
    dv_svg_heat(out, &heat);
    fclose(out);
    free(counts);
    free(labels);
}

static void test_heat(void **state)
{
    (void)state;
    draw_heat(3, 30);
    assert_int_equal(occurrences("class=\"right\""), 3);
    assert_int_equal(occurrences("class=\"wrong\""), 1);
    assert_int_equal(occurrences("true &lt;b&gt;&amp;&quot;, answered word: 3"), 1);
    assert_int_equal(occurrences(">30</text>"), 3);
    assert_int_equal(occurrences(">3</text>"), 1);
    free(written);
    draw_heat(100, 1000); /* room for labels, but not for four digits */
    assert_int_equal(occurrences("class=\"right\""), 100);
    assert_int_equal(occurrences(">1000</text>"), 0);
    assert_int_equal(occurrences(": 1000</title>"), 100);
    assert_int_equal(occurrences(">word</text>"), 2 * 99);
    free(written);
    draw_heat(400, 5); /* no room for labels either */
    assert_int_equal(occurrences("class=\"right\""), 400);
    assert_int_equal(occurrences(">word</text>"), 0);
    free(written);
    draw_heat(1, 5);
    assert_int_equal(occurrences("class=\"right\""), 1);
    free(written);
}

static void test_levels(void **state)
{
    (void)state;
    /* Two rows of five values from 0 to 10. Level 9 begins at 9 and includes the upper end. */
    const float values[] = {0, 9, 10, 0, 9.5f, 0, 0.5f, 1, 1, NAN};
    FILE *out = begin();
    dv_svg_levels(out, values, 2, 5, 0, 10);
    fclose(out);
    assert_non_null(strstr(written, "class=\"v1\" d=\"M1 1h2m1 0h1M2 0h2\""));
    assert_non_null(strstr(written, "class=\"v9\" d=\"M1 1h2m1 0h1\""));
    assert_int_equal(occurrences("<path"), DV_SVG_LEVELS - 1);
    free(written);
}

/* Computes the features of noise in memory of exactly the size that the front-end asks for. */
static void compute_picture(const dv_frontend *frontend)
{
    size_t samples = (size_t)dv_frontend_samples(frontend);
    int64_t cells = dv_frontend_rows(frontend) * dv_frontend_frames(frontend);
    size_t scratch_size = dv_frontend_scratch(frontend);
    float *window = calloc(samples, sizeof *window);
    float *picture = calloc((size_t)cells, sizeof *picture);
    char *scratch = aligned_alloc(64, (scratch_size + 127) / 64 * 64);
    assert_true(window != NULL && picture != NULL && scratch != NULL);
    memset(scratch + scratch_size, 0x5A, 64);
    for (size_t i = 0; i < samples; i++)
        window[i] = (float)(i * 7919 % 101) / 101 - 0.5F;
    dv_frontend_compute(frontend, window, picture, scratch);
    for (size_t i = scratch_size; i < scratch_size + 64; i++)
        assert_int_equal(scratch[i], 0x5A);
    for (int64_t i = 0; i < cells; i++)
        assert_true(isfinite(picture[i]));
    free(scratch);
    free(picture);
    free(window);
}

/* Every sample rate and duration that a model may have gives pictures. At 1,000 Hz there are more
   bands than bins. */
static void test_front_end_of_pictures(void **state)
{
    (void)state;
    static const int64_t rates[] = {1000, 1777, 4000, 8000, 11025, 16000, 22050, 48000, 192000};
    static const double durations[] = {0.05, 0.5, 1, 2.5};
    dv_features_config model;
    assert_int_equal(dv_fields_read(dv_features_fields, NULL, "features", &model), DV_OK);
    model.placement = DV_PLACE_MIDDLE;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        for (size_t k = 0; k < sizeof durations / sizeof durations[0]; k++) {
            model.sample_rate = rates[i];
            model.duration = durations[k];
            dv_features_config config = dv__html_picture_config(&model);
            dv_frontend *frontend;
            assert_int_equal(dv_frontend_create(&config, &frontend), DV_OK);
            assert_int_equal(dv_frontend_rows(frontend), 40);
            assert_in_range(dv_frontend_frames(frontend), 32, 130);
            assert_int_equal(dv_frontend_config(frontend)->placement, DV_PLACE_MIDDLE);
            compute_picture(frontend);
            dv_frontend_free(frontend);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_around),
        cmocka_unit_test(test_ticks_at_whole_epochs),
        cmocka_unit_test(test_labels_of_ticks),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_lines_leave_out_what_is_not_finite),
        cmocka_unit_test(test_reliability),
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_ways_to_files),
        cmocka_unit_test(test_heat),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_front_end_of_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
