/*
 * The simulated device's kernels: correct ones give the right results in every order, and each
 * planted bug is caught. Kernels that must abort run in a child process, whose messages are read.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cudasim/test_device.h"
#include "tests/cudasim/test_kernels.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { MESSAGE_SIZE = 4096, ORDERS = 3 };

static const char *const orders[ORDERS] = {"forward", "reverse", "shuffled"};

/* ---- Correct kernels ---- */

static void scale_moves_vectors_of_every_type(void **state)
{
    fixture *f = *state;
    const uint16_t three[2] = {0x4200, 0x4040}; /* 3.0 as FP16 and as BF16 */
    const uint16_t six[2] = {0x4600, 0x40C0};
    check(test_scale(DV_F32, f->y, f->x, 2.0F, COUNT, f->stream));
    download(f, f->host, f->y, sizeof f->host);
    for (int i = 0; i < COUNT; i++) {
        assert_true(f->host[i] == 2.0F * (float)(i + 1));
    }
    for (int type = 0; type < 2; type++) {
        uint16_t values[COUNT];
        for (int i = 0; i < COUNT; i++) {
            values[i] = three[type];
        }
        upload(f, f->x, values, sizeof values);
        const dv_dtype dtype = type == 0 ? DV_F16 : DV_BF16;
        check(test_scale(dtype, f->y, f->x, 2.0F, COUNT, f->stream));
        download(f, values, f->y, sizeof values);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(values[i], six[type]);
        }
    }
    assert_int_equal(test_scale(DV_DTYPE_COUNT, f->y, f->x, 2.0F, COUNT, f->stream),
                     cudaErrorInvalidValue);
}

static void softmax_is_the_same_in_every_order(void **state)
{
    fixture *f = *state;
    enum { ROWS = 3, COLUMNS = 200 };
    float x[ROWS * COLUMNS], y[ORDERS][ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        x[i] = sinf((float)i * 1.7F) * 5.0F;
    }
    float *device = allocate(sizeof x);
    float *result = allocate(sizeof x);
    upload(f, device, x, sizeof x);
    for (int order = 0; order < ORDERS; order++) {
        setenv("DECAVOX_CUDASIM_ORDER", orders[order], 1);
        check(test_softmax(result, device, ROWS, COLUMNS, f->stream));
        download(f, y[order], result, sizeof x);
        assert_memory_equal(y[order], y[0], sizeof x);
    }
    for (int row = 0; row < ROWS; row++) {
        double sum = 0.0;
        for (int i = 0; i < COLUMNS; i++) {
            sum += exp((double)x[row * COLUMNS + i]);
        }
        for (int i = 0; i < COLUMNS; i++) {
            const double expected = exp((double)x[row * COLUMNS + i]) / sum;
            assert_true(fabs((double)y[0][row * COLUMNS + i] - expected) < 1e-6);
        }
    }
    check((int)cudaFree(device));
    check((int)cudaFree(result));
}

static void transpose_goes_through_shared_memory(void **state)
{
    fixture *f = *state;
    enum { ROWS = 32, COLUMNS = 48 };
    float x[ROWS * COLUMNS], y[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        x[i] = (float)i;
    }
    float *device = allocate(sizeof x);
    float *result = allocate(sizeof x);
    upload(f, device, x, sizeof x);
    for (int order = 0; order < ORDERS; order++) {
        setenv("DECAVOX_CUDASIM_ORDER", orders[order], 1);
        check((int)cudaMemsetAsync(result, 0, sizeof x, f->stream));
        check(test_transpose(result, device, ROWS, COLUMNS, f->stream));
        download(f, y, result, sizeof y);
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            assert_true(y[i % COLUMNS * ROWS + i / COLUMNS] == x[i]);
        }
    }
    check((int)cudaFree(device));
    check((int)cudaFree(result));
}

static void warps_scan_shuffle_and_vote(void **state)
{
    fixture *f = *state;
    int x[32], y[32];
    unsigned votes = 0, expected = 0;
    for (int i = 0; i < 32; i++) {
        x[i] = i * i % 7;
        expected |= x[i] % 2 != 0 ? 1U << i : 0U;
    }
    int *device = (int *)f->x, *result = (int *)f->y;
    upload(f, device, x, sizeof x);
    for (int order = 0; order < ORDERS; order++) {
        setenv("DECAVOX_CUDASIM_ORDER", orders[order], 1);
        check(test_warp_scan(result, device, f->stream));
        download(f, y, result, sizeof y);
        for (int i = 0, sum = 0; i < 32; i++) {
            sum += x[i];
            assert_int_equal(y[i], sum);
        }
        check(test_warp_segments(result, device, (unsigned *)(result + 32), f->stream));
        download(f, y, result, sizeof y);
        download(f, &votes, result + 32, sizeof votes);
        assert_int_equal(votes, expected);
        for (int i = 0; i < 32; i++) {
            assert_int_equal(y[i], x[i / 8 * 8 + 7 - i % 8]);
        }
    }
}

static void dynamic_shared_memory_and_votes_of_a_block(void **state)
{
    fixture *f = *state;
    int x[2 * COUNT] = {0}, found[2] = {0, 0};
    x[5] = 3;
    x[9] = 1;
    int *device = allocate(sizeof x);
    upload(f, device, x, sizeof x);
    for (int order = 0; order < ORDERS; order++) {
        setenv("DECAVOX_CUDASIM_ORDER", orders[order], 1);
        check(test_reverse(f->y, f->x, COUNT, f->stream));
        download(f, f->host, f->y, sizeof f->host);
        for (int i = 0; i < COUNT; i++) {
            assert_true(f->host[i] == (float)(COUNT - i));
        }
        check((int)cudaMemsetAsync(f->y, 0, sizeof found, f->stream));
        check(test_count_odd((int *)f->y, (int *)f->y + 1, device, 2 * COUNT, f->stream));
        download(f, found, f->y, sizeof found);
        assert_int_equal(found[0], 2);
        assert_int_equal(found[1], 1);
    }
    check((int)cudaFree(device));
}

static void launches_check_their_configuration(void **state)
{
    fixture *f = *state;
    assert_int_equal(test_empty_launch(f->y, 0, f->stream), cudaErrorInvalidConfiguration);
    assert_int_equal(test_empty_launch(f->y, 1025, f->stream), cudaErrorInvalidConfiguration);
    assert_int_equal(test_empty_launch(f->y, 1024, f->stream), cudaSuccess);
    assert_int_equal(test_large_shared(f->y, 49, 0, f->stream), cudaErrorInvalidValue);
    assert_int_equal(test_large_shared(f->y, 100, 1, f->stream), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    check(test_large_shared(f->y, 96, 1, f->stream));
    download(f, f->host, f->y, sizeof(float));
    assert_true(f->host[0] == 96.0F);
}

/* ---- Planted bugs ---- */

typedef void (*victim)(fixture *f);

/* Runs `act` in a child, puts its stderr into `message` and returns its wait status. */
static int in_child(fixture *f, victim act, char message[MESSAGE_SIZE])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka and the sanitizers handle these signals otherwise. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        act(f);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], message + length, MESSAGE_SIZE - 1 - length)) > 0) {
        length += (size_t)got;
    }
    message[length] = '\0';
    /* An unread rest of a long report would block its writer. */
    char rest[256];
    while (read(ends[0], rest, sizeof rest) > 0) {}
    close(ends[0]);
    int ending = 0;
    assert_int_equal(waitpid(child, &ending, 0), child);
    return ending;
}

static test_bug planted;

static void launch_planted(fixture *f)
{
    check(test_plant(planted, f->y, f->stream));
    check((int)cudaStreamSynchronize(f->stream));
}

/* Asserts that the child dies with `words`, or in a sanitized build with `sanitizer` if given. */
static void assert_dies(fixture *f, test_bug bug, const char *words, const char *sanitizer)
{
    char message[MESSAGE_SIZE];
    planted = bug;
    const int ending = in_child(f, launch_planted, message);
    if (WIFEXITED(ending) && WEXITSTATUS(ending) == 0) {
        fail_msg("bug %d was not caught", (int)bug);
    }
    const char *expected = SANITIZED && sanitizer != NULL ? sanitizer : words;
    if (strstr(message, expected) == NULL) {
        fail_msg("bug %d: \"%s\" is not in: %s", (int)bug, expected, message);
    }
}

static void overruns_are_caught(void **state)
{
    fixture *f = *state;
    const char *poisoned = "use-after-poison";
    assert_dies(f, BUG_DEVICE_OVERRUN,
                "device_overrun wrote beyond the end of 256 bytes of device memory", poisoned);
    assert_dies(f, BUG_DEVICE_UNDERRUN,
                "device_overrun wrote before the start of 256 bytes of device memory", poisoned);
    assert_dies(f, BUG_SHARED_OVERRUN, "beyond the end of `values` (256 bytes)", poisoned);
    assert_dies(f, BUG_DYNAMIC_OVERRUN, "beyond the end of `dynamic shared memory`", poisoned);
}

static void divergent_barriers_are_caught(void **state)
{
    fixture *f = *state;
    const char *where = "test_kernels.cu:";
    assert_dies(f, BUG_DIVERGENT_BARRIER, "divergent barrier: thread 0 waits in __syncthreads",
                NULL);
    assert_dies(f, BUG_DIVERGENT_BARRIER, where, NULL);
    assert_dies(f, BUG_DIVERGENT_BARRIER, "[kernel divergent_barrier, block 0,0,0]", NULL);
    assert_dies(f, BUG_RETURN_BARRIER, "thread 32 has returned", NULL);
}

static void wrong_masks_are_caught(void **state)
{
    fixture *f = *state;
    assert_dies(f, BUG_MISSING_LANE, "mask ffffffff names lane 31, which has returned", NULL);
    assert_dies(f, BUG_DIVERGENT_LANES, "names lane 16, which waits in __shfl_xor_sync", NULL);
    assert_dies(f, BUG_BARRIER_AND_SHUFFLE, "names lane 0, which waits in __syncthreads", NULL);
    assert_dies(f, BUG_FOREIGN_MASK, "lane 16 is not in its own mask 0000ffff", NULL);
    assert_dies(f, BUG_FOREIGN_MASK, "block 0,0,0, thread 16,0,0]", NULL);
}

/* The number of a kernel's results that are NaN. */
static int count_nan(fixture *f, test_bug bug)
{
    planted = bug;
    launch_planted(f);
    download(f, f->host, f->y, sizeof f->host);
    int count = 0;
    for (int i = 0; i < COUNT; i++) {
        count += isnan(f->host[i]) ? 1 : 0;
    }
    return count;
}

static void what_nobody_wrote_is_nan(void **state)
{
    fixture *f = *state;
    const struct {
        test_bug bug;
        int nan;
    } cases[] = {{BUG_UNWRITTEN, 32}, {BUG_UNINITIALISED, 64}, {BUG_UNNAMED_LANE, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check((int)cudaFree(f->y));
        f->y = allocate(COUNT * sizeof(float));
        assert_int_equal(count_nan(f, cases[i].bug), cases[i].nan);
    }
}

static void a_missing_barrier_shows(void **state)
{
    fixture *f = *state;
    for (int order = 0; order < ORDERS; order++) {
        setenv("DECAVOX_CUDASIM_ORDER", orders[order], 1);
        assert_true(count_nan(f, BUG_MISSING_BARRIER) > 0);
    }
}

static void read_device_pointer(fixture *f)
{
    const volatile float *y = f->y;
    f->host[0] = *y;
}

static void unknown_order(fixture *f)
{
    setenv("DECAVOX_CUDASIM_ORDER", "sideways", 1);
    check(test_empty_launch(f->y, 32, f->stream));
    check((int)cudaStreamSynchronize(f->stream));
}

static void the_host_cannot_read_device_memory(void **state)
{
    fixture *f = *state;
    char message[MESSAGE_SIZE];
    const int ending = in_child(f, read_device_pointer, message);
    assert_true(WIFSIGNALED(ending));
    assert_int_equal(WTERMSIG(ending), SIGSEGV);
    assert_true(WIFSIGNALED(in_child(f, unknown_order, message)));
    assert_non_null(strstr(message, "\"sideways\"; forward, reverse and shuffled are possible"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(scale_moves_vectors_of_every_type),
        CASE(softmax_is_the_same_in_every_order),
        CASE(transpose_goes_through_shared_memory),
        CASE(warps_scan_shuffle_and_vote),
        CASE(dynamic_shared_memory_and_votes_of_a_block),
        CASE(launches_check_their_configuration),
        CASE(overruns_are_caught),
        CASE(divergent_barriers_are_caught),
        CASE(wrong_masks_are_caught),
        CASE(what_nobody_wrote_is_nan),
        CASE(a_missing_barrier_shows),
        CASE(the_host_cannot_read_device_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
