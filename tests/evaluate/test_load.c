/* The rule for a busy machine, and the clocks that it reads. */
#include "runner/evaluate/load.h"
#include "runner/evaluate/timing.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* `own` and `others` are seconds of a measurement of 2 s. */
static bool disturbs(double own, double others, dv_load_use use)
{
    dv_load load = {.wall = 2, .own = own, .machine = own + others};
    return dv_load_disturbs(&load, &use);
}

static void test_rule(void **state)
{
    (void)state;
    const dv_load_use one_of_two = {1, 1, 2}, both = {1, 2, 2}, alone = {1, 1, 1};
    assert_false(disturbs(2, 0, one_of_two));
    assert_false(disturbs(1.82, 0.3, one_of_two));
    assert_true(disturbs(1.78, 0, one_of_two)); /* 89 % */
    assert_true(disturbs(1, 2, one_of_two));    /* others share its processor */
    assert_true(disturbs(2, 2, one_of_two));    /* a busy loop has the other one */
    assert_false(disturbs(2, 1, one_of_two));
    assert_false(disturbs(4, 0.5, both));
    assert_true(disturbs(3.4, 0.6, both));
    assert_false(disturbs(2, 0.5, alone));
    assert_true(disturbs(2, 0.6, alone));
}

/* A large machine has room for others. */
static void test_processors_that_are_left_over(void **state)
{
    (void)state;
    const dv_load_use one = {1, 1, 64}, most = {1, 60, 64}, all = {1, 64, 64};
    assert_false(disturbs(2, 2 * 20, one));
    assert_true(disturbs(2, 2 * 40, one));
    assert_false(disturbs(100, 2 * 2, most));
    assert_true(disturbs(100, 2 * 3, most));
    assert_true(disturbs(120, 2 * 1, all));
}

/* When the measurement waits for a device or starts programs, only other programs count. */
static void test_waiting(void **state)
{
    (void)state;
    const dv_load_use waits = {0, 1, 2};
    assert_false(disturbs(0.1, 0.5, waits));
    assert_true(disturbs(0.1, 2, waits));
}

/* A hundredth more or less does not matter; without the machine's time the rest decides. */
static void test_what_is_not_known(void **state)
{
    (void)state;
    const dv_load_use use = {1, 1, 2};
    dv_load brief = {.wall = 0.001, .own = 0.001, .machine = 0.04};
    assert_false(dv_load_disturbs(&brief, &use));
    dv_load unknown = {.wall = 1, .own = 0.99, .machine = 0};
    assert_false(dv_load_disturbs(&unknown, &use));
    unknown.own = 0.5;
    assert_true(dv_load_disturbs(&unknown, &use));
}

static double machine_of(void **state, const char *text)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "stat", path);
    file_store(path, text, strlen(text));
    return dv_load_machine(path) * (double)sysconf(_SC_CLK_TCK);
}

static void test_machine(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    assert_true(machine_of(state, "cpu  1 20 300 9 9 4000 50000 600000 7 8\ncpu0 1 1 1\n") ==
                654321);
    assert_true(machine_of(state, "cpu  1 20 300 9 9 4000 50000\n") == 54321); /* an old kernel */
    assert_true(machine_of(state, "cpu  1 20 300\n") == 0);
    assert_true(machine_of(state, "intr 1\n") == 0);
    scratch_path(*state, "no such file", path);
    assert_true(dv_load_machine(path) == 0);
    assert_true(dv_load_processors() >= 1);
}

static void compute(double seconds)
{
    double end = dv_clock_processor() + seconds;
    while (dv_clock_processor() < end)
        ;
}

/* An ended child counts as the program's own; one that still runs, and all others, do not. */
static void test_clocks(void **state)
{
    (void)state;
    dv_load load = {.wall = 0};
    pid_t other = fork();
    if (other == 0) {
        for (;;)
            compute(1);
    }
    dv_load_begin(&load);
    compute(0.3);
    pid_t child = fork();
    if (child == 0) {
        compute(0.2);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    dv_load_end(&load);
    dv_load_begin(&load); /* adds up */
    compute(0.1);
    dv_load_end(&load);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    assert_true(load.own >= 0.6 && load.own < 0.9);
    assert_true(load.wall >= load.own - 0.01);
    if (dv_load_machine("/proc/stat") > 0) { /* the busy loop had at least a share of a processor */
        assert_true(load.machine - load.own > 0.1 * load.wall);
        /* Assume exactly as many processors as both need. */
        assert_true(dv_load_disturbs(&load, &(dv_load_use){1, 1, 1}));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule),    cmocka_unit_test(test_processors_that_are_left_over),
        cmocka_unit_test(test_waiting), cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_machine), cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
