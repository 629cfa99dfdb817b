/* Shares of an ensemble against a search over a grid, and against answers known by hand. */
#include "engine/base/rng.h"
#include "engine/train/shares.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CLIPS = 60, CLASSES = 4 };

/* Logits (members, CLIPS, CLASSES) of noise; the true class gets the member's `skill` on top. */
typedef struct answers {
    float logits[DV_MAX_INPUTS][CLIPS * CLASSES];
    int truth[CLIPS];
    dv_shares_answers view;
} answers;

static void make_answers(answers *a, const float *skill, int members, uint64_t seed)
{
    dv_rng rng = {.seed = seed, .use = DV_RNG_TEST};
    a->view = (dv_shares_answers){
        .truth = a->truth, .members = members, .count = CLIPS, .classes = CLASSES};
    for (int i = 0; i < CLIPS; i++)
        a->truth[i] = i % CLASSES;
    for (int k = 0; k < members; k++) {
        a->view.logits[k] = a->logits[k];
        rng.step = (uint64_t)k;
        for (int i = 0; i < CLIPS * CLASSES; i++) {
            bool right = a->truth[i / CLASSES] == i % CLASSES;
            a->logits[k][i] = (float)dv_rng_normal(&rng, (uint32_t)i) + (right ? skill[k] : 0);
        }
    }
}

/* The minimised objective, by its formula. */
static double objective(const answers *a, const double *share)
{
    double value = 0;
    for (int i = 0; i < CLIPS; i++) {
        double mixed[CLASSES] = {0}, sum = 0;
        for (int k = 0; k < a->view.members; k++)
            for (int c = 0; c < CLASSES; c++)
                mixed[c] += share[k] * (double)a->logits[k][i * CLASSES + c];
        for (int c = 0; c < CLASSES; c++)
            sum += exp(mixed[c] - mixed[a->truth[i]]);
        value += log(sum) / CLIPS;
    }
    for (int k = 0; k < a->view.members; k++)
        value -= 0.01 * log(share[k]) / CLIPS;
    return value;
}

static void fit(const answers *a, double *share)
{
    double sum = 0;
    assert_int_equal(dv_shares_fit(&a->view, share), DV_OK);
    for (int k = 0; k < a->view.members; k++) {
        assert_true(share[k] > 0);
        sum += share[k];
    }
    assert_true(fabs(sum - 1) < 1e-12);
}

/* No other shares on a grid of 1/200 are better, and the best ones are near. */
static void no_shares_are_better(void **state)
{
    static const float skill[] = {2, 1, 3};
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        answers a;
        double share[3], best = INFINITY, nearest[3] = {0};
        make_answers(&a, skill, 3, seed);
        fit(&a, share);
        for (int i = 1; i < 199; i++) {
            for (int k = 1; i + k < 200; k++) {
                const double other[] = {i / 200.0, k / 200.0, (200 - i - k) / 200.0};
                double value = objective(&a, other);
                if (value >= best)
                    continue;
                best = value;
                for (int j = 0; j < 3; j++)
                    nearest[j] = other[j];
            }
        }
        assert_true(objective(&a, share) <= best);
        for (int j = 0; j < 3; j++)
            assert_true(fabs(share[j] - nearest[j]) < 0.01);
    }
}

/* The slope, by differences, is 0 along every direction that keeps the sum. */
static void slope_is_zero(void **state)
{
    static const float skill[] = {1, 2, 1.5F, 0, 3, 2.5F, 1, 0.5F};
    const double step = 1e-5;
    answers a;
    double share[DV_MAX_INPUTS];
    (void)state;
    make_answers(&a, skill, DV_MAX_INPUTS, 7);
    fit(&a, share);
    for (int k = 1; k < DV_MAX_INPUTS; k++) {
        double up[DV_MAX_INPUTS], down[DV_MAX_INPUTS];
        for (int j = 0; j < DV_MAX_INPUTS; j++)
            up[j] = down[j] = share[j];
        up[k] += step, up[0] -= step;
        down[k] -= step, down[0] += step;
        assert_true(fabs(objective(&a, up) - objective(&a, down)) / (2 * step) < 1e-4);
    }
}

static void equals_have_equal_shares(void **state)
{
    static const float skill[] = {2, 2, 2};
    answers a;
    double share[3];
    (void)state;
    make_answers(&a, skill, 3, 1);
    a.view.logits[1] = a.view.logits[2] = a.logits[0];
    fit(&a, share);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(share[k] - 1.0 / 3) < 1e-9);
}

/* A member that is always wrong has a share near 0. */
static void bad_members_have_small_shares(void **state)
{
    static const float skill[] = {8, -8};
    answers a;
    double share[2];
    (void)state;
    make_answers(&a, skill, 2, 1);
    fit(&a, share);
    assert_true(share[0] > 0.99);
    assert_true(share[1] > 1e-6);
}

static void order_of_members_does_not_count(void **state)
{
    static const float skill[] = {2, 1};
    answers a;
    double share[2], turned[2];
    (void)state;
    make_answers(&a, skill, 2, 1);
    fit(&a, share);
    a.view.logits[0] = a.logits[1];
    a.view.logits[1] = a.logits[0];
    fit(&a, turned);
    assert_true(fabs(share[0] - turned[1]) < 1e-6);
}

static void mixture_is_measured(void **state)
{
    static const float skill[] = {1, 2};
    static const double share[] = {0.25, 0.75};
    answers a;
    double loss;
    int64_t correct, expected = 0;
    (void)state;
    make_answers(&a, skill, 2, 1);
    assert_int_equal(dv_shares_measure(&a.view, share, &loss, &correct), DV_OK);
    double prior = -0.01 * (log(share[0]) + log(share[1])) / CLIPS;
    assert_true(fabs(loss + prior - objective(&a, share)) < 1e-6);
    for (int i = 0; i < CLIPS; i++) {
        int best = 0;
        double largest = -INFINITY;
        for (int c = 0; c < CLASSES; c++) {
            double mixed = share[0] * (double)a.logits[0][i * CLASSES + c] +
                           share[1] * (double)a.logits[1][i * CLASSES + c];
            if (mixed > largest) {
                largest = mixed;
                best = c;
            }
        }
        expected += best == a.truth[i];
    }
    assert_int_equal(correct, expected);
    assert_true(correct > CLIPS / 2 && correct < CLIPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_shares_are_better),
        cmocka_unit_test(slope_is_zero),
        cmocka_unit_test(equals_have_equal_shares),
        cmocka_unit_test(bad_members_have_small_shares),
        cmocka_unit_test(order_of_members_does_not_count),
        cmocka_unit_test(mixture_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
