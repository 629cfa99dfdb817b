/* Precision, recall and F1; calibration: bins and the expected calibration error. */
#include "engine/base/rng.h"
#include "engine/train/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void require_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-12))
        fail_msg("%.17g, expected %.17g", got, want);
}

static void nothing_is_calibrated(void **state)
{
    (void)state;
    const dv_calibration none = {0};
    assert_true(dv_calibration_error(&none) == 0);
}

/*
 * By hand: of three answers of 0.5 (bin 7 of 0..14) one is right, of two of 0.95 (bin 14) both are:
 * 3/5 |1/3 - 0.5| + 2/5 |1 - 0.95| = 0.1 + 0.02.
 */
static void known_values(void **state)
{
    (void)state;
    dv_calibration calibration = {0};
    dv_calibration_add(&calibration, 0.5, true);
    dv_calibration_add(&calibration, 0.5, false);
    dv_calibration_add(&calibration, 0.5, false);
    dv_calibration_add(&calibration, 0.95, true);
    dv_calibration_add(&calibration, 0.95, true);
    require_near(dv_calibration_error(&calibration), 0.12);
    assert_int_equal(calibration.bins[7].count, 3);
    assert_int_equal(calibration.bins[7].correct, 1);
    require_near(calibration.bins[7].confidence, 1.5);
    assert_int_equal(calibration.bins[14].count, 2);
}

/* Errors of opposite signs cancel in one bin, but not in two bins: 0.62 is in (9/15, 10/15], 0.68
   in (10/15, 11/15]. */
static void signs_cancel_in_a_bin_alone(void **state)
{
    (void)state;
    dv_calibration one = {0}, two = {0};
    dv_calibration_add(&one, 0.62, true);
    dv_calibration_add(&one, 0.62, false);
    require_near(dv_calibration_error(&one), 0.12);
    dv_calibration_add(&two, 0.62, true);
    dv_calibration_add(&two, 0.68, false);
    require_near(dv_calibration_error(&two), (0.38 + 0.68) / 2);
}

static void edges_belong_to_the_bin_below(void **state)
{
    (void)state;
    for (int m = 0; m < DV_CALIBRATION_BINS; m++) {
        dv_calibration calibration = {0};
        double high = dv_calibration_edge(m + 1);
        require_near(high, (m + 1) / 15.0);
        dv_calibration_add(&calibration, high, true);
        dv_calibration_add(&calibration, nextafter(dv_calibration_edge(m), 2), true);
        assert_int_equal(calibration.bins[m].count, 2);
    }
    dv_calibration zero = {0};
    dv_calibration_add(&zero, 0, false);
    assert_int_equal(zero.bins[0].count, 1);
}

/* The plain formula, over all answers for each bin. */
static double expected_error(const double *confidence, const bool *correct, int count)
{
    double error = 0;
    for (int m = 1; m <= 15; m++) {
        double sum = 0, right = 0, members = 0;
        for (int i = 0; i < count; i++) {
            if (ceil(confidence[i] * 15) != m)
                continue;
            members += 1;
            sum += confidence[i];
            right += correct[i];
        }
        if (members > 0)
            error += members / count * fabs(right / members - sum / members);
    }
    return error;
}

static void random_answers(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    double confidence[COUNT];
    bool correct[COUNT];
    dv_calibration calibration = {0};
    dv_rng rng = {.seed = 5, .use = DV_RNG_TEST};
    for (uint32_t i = 0; i < COUNT; i++) {
        confidence[i] = 0.1 + 0.9 * (double)dv_rng_uniform(&rng, 2 * i);
        correct[i] = (double)dv_rng_uniform(&rng, 2 * i + 1) < confidence[i] * confidence[i];
        dv_calibration_add(&calibration, confidence[i], correct[i]);
    }
    double want = expected_error(confidence, correct, COUNT);
    assert_true(want > 0.1 && want < 0.3);
    require_near(dv_calibration_error(&calibration), want);
}

static void confidence_is_the_largest_of_softmax(void **state)
{
    (void)state;
    const float logits[] = {-3.5F, 1.25F, 900.0F, 899.5F}, even[] = {2, 2, 2, 2};
    double probabilities[4];
    dv_softmax(logits, 4, probabilities);
    assert_true(dv_confidence(logits, 4) == probabilities[2]);
    require_near(dv_confidence(logits, 4), 1 / (1 + exp(-0.5)));
    require_near(dv_confidence(even, 4), 0.25);
}

/* Three classes: the first has four clips, the second two, and the third, which is answered once,
   none. The figures are scikit-learn's (f1_score over the classes with clips). */
static void shares_of_classes(void **state)
{
    (void)state;
    dv_confusion confusion;
    assert_int_equal(dv_confusion_create(3, &confusion), DV_OK);
    const int64_t answers[] = {0, 0, 0, 2, 0, 0};
    for (int i = 0; i < 6; i++)
        dv_confusion_add(&confusion, i < 4 ? 0 : 1, answers[i]);
    assert_int_equal(dv_confusion_clips(&confusion, 0), 4);
    assert_int_equal(dv_confusion_answers(&confusion, 0), 5);
    require_near(dv_confusion_precision(&confusion, 0), 0.6);
    require_near(dv_confusion_recall(&confusion, 0), 0.75);
    require_near(dv_confusion_f1(&confusion, 0), 2 * 0.6 * 0.75 / (0.6 + 0.75));
    assert_true(isnan(dv_confusion_precision(&confusion, 1))); /* nothing was called so */
    require_near(dv_confusion_f1(&confusion, 1), 0);
    assert_true(isnan(dv_confusion_recall(&confusion, 2)));
    dv_macro_means means = dv_confusion_macro(&confusion);
    require_near(means.precision, 0.3);
    require_near(means.recall, 0.375);
    require_near(means.f1, 1.0 / 3);
    dv_confusion_free(&confusion);
    assert_int_equal(dv_confusion_create(3, &confusion), DV_OK);
    assert_true(isnan(dv_confusion_f1(&confusion, 0)));
    assert_true(isnan(dv_confusion_macro(&confusion).f1));
    dv_confusion_free(&confusion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_classes),
        cmocka_unit_test(nothing_is_calibrated),
        cmocka_unit_test(known_values),
        cmocka_unit_test(signs_cancel_in_a_bin_alone),
        cmocka_unit_test(edges_belong_to_the_bin_below),
        cmocka_unit_test(random_answers),
        cmocka_unit_test(confidence_is_the_largest_of_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
