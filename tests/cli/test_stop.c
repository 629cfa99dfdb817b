/* The signals that ask the program to save: the first asks, one that comes at once is the same
   request, and one that comes later ends the program. */
#include "runner/cli/stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void pause_for(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&time, NULL);
}

/* Runs in a child: handles signals, and exits after so many tenths of a second with the request as
   its status. */
static _Noreturn void wait_in_child(int ready, int tenths)
{
    dv_stop_prepare();
    dv_stop_catch();
    (void)!write(ready, "", 1);
    for (int i = 0; i < tenths; i++)
        pause_for(0.1);
    _exit(dv_stop_next(NULL) == DV_TRAIN_PAUSE ? dv_stop_request : 0);
}

/* Starts a child that is ready for signals. */
static pid_t start_child(int tenths)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        wait_in_child(ends[1], tenths);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static int end_of(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    return result;
}

static void test_a_signal_is_a_request_also_twice_at_once(void **state)
{
    (void)state;
    pid_t child = start_child(10);
    for (int i = 0; i < 3; i++) {
        kill(child, SIGTERM);
        pause_for(0.1);
    }
    int result = end_of(child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), SIGTERM);
}

static void test_a_second_one_later_ends_the_program(void **state)
{
    (void)state;
    pid_t child = start_child(100);
    kill(child, SIGTERM);
    pause_for(2.2);
    kill(child, SIGTERM);
    int result = end_of(child);
    assert_true(WIFSIGNALED(result));
    assert_int_equal(WTERMSIG(result), SIGTERM);
}

static void test_without_a_signal_nothing_is_asked(void **state)
{
    (void)state;
    int result = end_of(start_child(2));
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signal_is_a_request_also_twice_at_once),
        cmocka_unit_test(test_a_second_one_later_ends_the_program),
        cmocka_unit_test(test_without_a_signal_nothing_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
