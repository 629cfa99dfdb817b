#include "engine/train/schedule.h"
#include "engine/train/trainer.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        .kind = DV_SCHEDULE_COSINE, .peak = 0.8, .minimum = 0.2, .warmup = 4, .total = 14};
    for (uint64_t step = 0; step < 4; step++) /* the rate rises to the peak in equal steps */
        assert_close(dv_schedule_rate(&cosine, step), 0.16 * (double)(step + 1), 1e-12);
    assert_true(dv_schedule_rate(&cosine, 4) == 0.8);
    assert_close(dv_schedule_rate(&cosine, 9), 0.5, 1e-12); /* half-way */
    assert_close(dv_schedule_rate(&cosine, 13), 0.5 + 0.3 * cos(0.9 * acos(-1)), 1e-12);
    assert_close(dv_schedule_rate(&cosine, 14), 0.2, 1e-12);
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
        assert_true(dv_schedule_rate(&tiny, total - 1) > 0.1); /* every update counts */
        assert_close(dv_schedule_rate(&tiny, total), 0.1, 1e-12);
    }
    dv_schedule warm = {.kind = DV_SCHEDULE_COSINE, .peak = 1, .warmup = 1, .total = 2};
    assert_true(dv_schedule_rate(&warm, 0) == 0.5 && dv_schedule_rate(&warm, 1) == 1);
}

/* ---- Against torch.optim.lr_scheduler ---- */

static double next_number(char **text)
{
    char *end;
    double number = strtod(*text, &end);
    assert_true(end != *text);
    *text = end;
    return number;
}

static int kind_of(const char *name)
{
    int kind = 0;
    while (dv_schedule_names[kind] != NULL && strcmp(dv_schedule_names[kind], name) != 0)
        kind++;
    assert_non_null(dv_schedule_names[kind]);
    return kind;
}

static void compare_rates(int kind, char *text)
{
    dv_schedule schedule = {.kind = kind};
    schedule.peak = next_number(&text);
    schedule.minimum = next_number(&text);
    schedule.total = (uint64_t)next_number(&text);
    schedule.period = (uint64_t)next_number(&text);
    schedule.factor = next_number(&text);
    schedule.rise = next_number(&text);
    for (uint64_t update = 0; update < schedule.total; update++)
        assert_close(dv_schedule_rate(&schedule, update), next_number(&text), 1e-12);
    assert_int_equal(strspn(text, " \n"), strlen(text));
    if (kind == DV_SCHEDULE_ONE_CYCLE)
        return;
    /* The same schedule behind a warm-up. */
    dv_schedule warm = schedule;
    warm.warmup = 5;
    warm.total += 5;
    for (uint64_t update = 0; update < schedule.total; update++)
        assert_true(dv_schedule_rate(&warm, update + 5) == dv_schedule_rate(&schedule, update));
    for (uint64_t update = 0; update < 5; update++)
        assert_close(dv_schedule_rate(&warm, update), schedule.peak * (double)(update + 1) / 6,
                     1e-12);
}

static void compare_plateau(char *text)
{
    dv_schedule schedule = {.kind = DV_SCHEDULE_PLATEAU};
    dv_plateau plateau = {0};
    schedule.peak = next_number(&text);
    schedule.minimum = next_number(&text);
    int64_t patience = (int64_t)next_number(&text);
    schedule.factor = next_number(&text);
    int epochs = 0;
    for (; strspn(text, " \n") != strlen(text); epochs++) {
        double loss = next_number(&text);
        schedule.falls += dv_plateau_watch(&plateau, epochs == 0, loss, patience);
        assert_close(dv_schedule_rate(&schedule, (uint64_t)epochs), next_number(&text), 1e-12);
    }
    assert_true(epochs > 20 && schedule.falls >= 3);
    schedule.warmup = 100; /* rises to the reduced rate */
    assert_close(dv_schedule_rate(&schedule, 0), dv_schedule_rate(&schedule, 100) / 101, 1e-12);
}

static void test_as_torch(void **state)
{
    (void)state;
    enum { LINE_SIZE = 4096 };
    char line[LINE_SIZE];
    int seen[8] = {0};
    FILE *file = fopen("tests/golden/schedules.txt", "r");
    assert_non_null(file);
    while (fgets(line, LINE_SIZE, file) != NULL) {
        if (line[0] == '#')
            continue;
        char *space = strchr(line, ' ');
        assert_non_null(space);
        *space = '\0';
        int kind = kind_of(line);
        seen[kind]++;
        if (kind == DV_SCHEDULE_PLATEAU)
            compare_plateau(space + 1);
        else
            compare_rates(kind, space + 1);
    }
    fclose(file);
    for (int kind = 0; dv_schedule_names[kind] != NULL; kind++)
        assert_true(seen[kind] > 0);
}

/* Asserts that a saved state is the same when read again. */
static void require_kept(double best)
{
    dv_train_state state = {.plateau_best = best}, back;
    dv_tree *map;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &map), DV_OK);
    assert_int_equal(dv_fields_write(dv_train_state_fields, &state, map), DV_OK);
    if (dv_fields_read(dv_train_state_fields, map, "state", &back) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_true(back.plateau_best == best);
    dv_tree_free(map);
}

/* An epoch without a loss counts as one without a lower loss, and does not change the best loss. */
static void test_plateau_without_a_loss(void **state)
{
    (void)state;
    static const double losses[] = {NAN, 2, INFINITY, 1.5, NAN, 1.6};
    static const double best[] = {DBL_MAX, 2, 2, 1.5, 1.5, 1.5};
    dv_plateau plateau = {0};
    for (int e = 0; e < 6; e++) {
        assert_int_equal(dv_plateau_watch(&plateau, e == 0, losses[e], 1), e == 5);
        assert_true(plateau.best == best[e]);
        require_kept(plateau.best);
    }
    plateau = (dv_plateau){.best = NAN}; /* kept by an earlier version */
    assert_false(dv_plateau_watch(&plateau, false, 3, 1));
    assert_true(plateau.best == 3);
}

static void test_ends_of_schedules(void **state)
{
    (void)state;
    dv_schedule cycle = {.kind = DV_SCHEDULE_ONE_CYCLE, .peak = 1, .minimum = 0.1, .total = 10};
    assert_true(dv_schedule_rate(&cycle, 0) == 1); /* no rise */
    assert_true(dv_schedule_rate(&cycle, 9) > 0.1);
    assert_close(dv_schedule_rate(&cycle, 10), 0.1, 1e-12);
    assert_close(dv_schedule_rate(&cycle, 99), 0.1, 1e-12);
    cycle.rise = 1; /* nothing else */
    assert_close(dv_schedule_rate(&cycle, 0), 0.04, 1e-12);
    assert_true(dv_schedule_rate(&cycle, 9) < 1);
    assert_true(dv_schedule_rate(&cycle, 10) == 1);
    dv_schedule step = {
        .kind = DV_SCHEDULE_STEP, .peak = 1, .minimum = 0.3, .period = 2, .factor = 0.5};
    assert_true(dv_schedule_rate(&step, 3) == 0.5);
    assert_true(dv_schedule_rate(&step, 4) == 0.3); /* the floor */
    dv_schedule restarts = {
        .kind = DV_SCHEDULE_COSINE_RESTARTS, .peak = 1, .period = 2, .factor = 1.5};
    assert_true(dv_schedule_rate(&restarts, 2) == 1 && dv_schedule_rate(&restarts, 5) == 1);
    assert_close(dv_schedule_rate(&restarts, 3), 0.75, 1e-12); /* a third of a period of 3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_values),
        cmocka_unit_test(test_as_torch),
        cmocka_unit_test(test_plateau_without_a_loss),
        cmocka_unit_test(test_ends_of_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
