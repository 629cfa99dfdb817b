#include "engine/train/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_close(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.15g, want %.15g", got, want);
}

static void test_schedule_values(void **state)
{
    (void)state;
    dv_schedule cosine = {
        .kind = DV_SCHEDULE_COSINE, .peak = 0.8, .minimum = 0.2, .warmup = 4, .total = 15};
    for (uint64_t step = 0; step < 4; step++) /* rises from 0 to the peak in equal steps */
        assert_close(dv_schedule_rate(&cosine, step), 0.16 * (double)(step + 1), 1e-12);
    assert_true(dv_schedule_rate(&cosine, 4) == 0.8);
    assert_close(dv_schedule_rate(&cosine, 9), 0.5, 1e-12); /* half-way */
    assert_close(dv_schedule_rate(&cosine, 14), 0.2, 1e-12);
    assert_close(dv_schedule_rate(&cosine, 15), 0.2, 1e-12);
    assert_close(dv_schedule_rate(&cosine, 1000), 0.2, 1e-12);
    for (uint64_t step = 4; step < 14; step++)
        assert_true(dv_schedule_rate(&cosine, step) > dv_schedule_rate(&cosine, step + 1));
    dv_schedule none = cosine;
    none.kind = DV_SCHEDULE_NONE;
    assert_close(dv_schedule_rate(&none, 1), 0.32, 1e-12);
    assert_true(dv_schedule_rate(&none, 4) == 0.8 && dv_schedule_rate(&none, 14) == 0.8);
    for (uint64_t total = 1; total < 6; total++) { /* the shortest runs */
        dv_schedule tiny = {.kind = DV_SCHEDULE_COSINE, .peak = 1, .minimum = 0.1, .total = total};
        assert_true(dv_schedule_rate(&tiny, 0) == 1);
        if (total > 1)
            assert_close(dv_schedule_rate(&tiny, total - 1), 0.1, 1e-12);
    }
    dv_schedule warm = {.kind = DV_SCHEDULE_COSINE, .peak = 1, .warmup = 1, .total = 2};
    assert_true(dv_schedule_rate(&warm, 0) == 0.5 && dv_schedule_rate(&warm, 1) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
