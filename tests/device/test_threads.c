/* If threads cannot be made, the process goes on with fewer and logs it. The default number keeps
   to the quota of a control group. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "engine/backends/open.h"
#include "engine/device/threads.h"
#include "frontends/audio/audio.h"
#include "tests/support/scratch.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* ---- A system with a limit on threads, libgomp's included ---- */

typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef struct started {
    void *(*begin)(void *);
    void *argument;
} started;

static atomic_int room = 1000; /* number of threads that can still be made */

static void *count_end(void *of_started)
{
    started self = *(started *)of_started;
    free(of_started);
    void *result = self.begin(self.argument);
    atomic_fetch_add(&room, 1);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *),
                   void *argument)
{
    create_fn create;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&create, &symbol, sizeof create);
    started *self = malloc(sizeof *self);
    if (self == NULL || atomic_fetch_sub(&room, 1) <= 0) {
        atomic_fetch_add(&room, 1);
        free(self);
        return EAGAIN;
    }
    *self = (started){begin, argument};
    int error = create(thread, attributes, count_end, self);
    if (error != 0) {
        atomic_fetch_add(&room, 1);
        free(self);
    }
    return error;
}

typedef struct told {
    int count;
    char text[1024];
} told;

static void keep(void *user, dv_log_level level, const char *message)
{
    told *all = user;
    assert_int_equal(level, DV_LOG_WARNING);
    all->count++;
    snprintf(all->text, sizeof all->text, "%s", message);
}

/* ---- Making threads ---- */

static void mark(void *seen, int thread)
{
    atomic_fetch_or((atomic_int *)seen, 1 << thread);
}

static void test_run(void **state)
{
    (void)state;
    told all = {0};
    dv_log log = {.write = keep, .user = &all};
    atomic_int seen = 0;
    assert_int_equal(dv_threads_run(4, mark, &seen, &log), 4);
    assert_int_equal(atomic_load(&seen), 0xF);
    assert_int_equal(all.count, 0);
    atomic_store(&seen, 0);
    int before = atomic_exchange(&room, 0);
    int made = dv_threads_run(4, mark, &seen, &log);
    atomic_store(&room, before);
    assert_int_equal(made, 1);
    assert_int_equal(atomic_load(&seen), 1);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.text, "only 1 of 4 threads could be made ("));
}

/* Runs a parallel region of the context's threads. With one more, libgomp would end the process. */
static void test_context(void **state)
{
    (void)state;
    told all = {0};
    dv_context *context;
    int before = atomic_exchange(&room, 2), parallel = 0, threads_before = omp_get_max_threads();
    assert_int_equal(dv_context_open("cpu", 6, (dv_log){keep, &all}, &context), DV_OK);
    assert_int_equal(context->threads, 3);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.text, "only 3 of 6 threads could be made ("));
#pragma omp parallel num_threads(context->threads) reduction(+ : parallel)
    parallel += 1;
    assert_int_equal(parallel, 3);
    atomic_fetch_add(&room, before - 2);
    dv_context_close(context);
    omp_set_num_threads(threads_before);
}

/* ---- The library ---- */

enum { FILES = 4, MANY = 8, RATE = 8000, MOST_LABELS = 64 };

/* A session uses as many threads as can be made, logs it once, and gives the same answers. */
static void test_session(void **state)
{
    float samples[RATE], answers[FILES][MOST_LABELS], alone[MOST_LABELS];
    char path[SCRATCH_PATH_SIZE];
    dv_model *model;
    dv_session *session;
    told all = {0};
    for (int i = 0; i < RATE; i++)
        samples[i] = (float)(0.4 * sin(acos(-1.0) * i / RATE) * sin(acos(-1.0) * 900 * i / RATE));
    scratch_path(*state, "tone.wav", path);
    dv_audio audio = {.samples = samples, .count = RATE, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
    const char *paths[FILES] = {path, path, path, path};
    const dv_model_options options = {.size = sizeof options, .log = keep, .log_user = &all};
    const dv_session_options many = {.size = sizeof many, .capacity = FILES, .threads = MANY};
    assert_int_equal(dv_model_open("checkpoints/lightweight.safetensors", &options, &model), DV_OK);
    size_t labels = dv_model_label_count(model);
    assert_in_range(labels, 2, MOST_LABELS);
    int before = atomic_exchange(&room, 0);
    assert_int_equal(dv_session_create(model, &many, &session), DV_OK);
    for (int turn = 0; turn < 2; turn++)
        assert_int_equal(dv_session_files(session, paths, FILES, &answers[0][0], NULL, NULL),
                         DV_OK);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.text, " of 8 threads could be made ("));
    assert_int_equal(dv_session_file(session, path, alone, NULL), DV_OK);
    for (size_t i = 0; i < FILES; i++)
        assert_memory_equal(&answers[0][0] + i * labels, alone, labels * sizeof *alone);
    atomic_store(&room, before);
    dv_session_free(session);
    dv_model_close(model);
}

/* ---- The host's settings of OpenMP ---- */

/* Within a parallel region a context has one thread, whatever was asked for. */
static void test_a_region_of_the_host(void **state)
{
    (void)state;
    const dv_log log = {.write = NULL};
    int within[2] = {0, 0}, cores[2] = {0, 0};
    assert_int_equal(dv_threads_reserve(3, &log), 3);
#pragma omp parallel num_threads(2)
    {
        int i = omp_get_thread_num();
        within[i] = dv_threads_reserve(3, &log);
        cores[i] = dv_physical_cores();
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(within[i], 1);
        assert_int_equal(cores[i], 1);
    }
    assert_int_equal(dv_threads_reserve(3, &log), 3);
}

/* If the host leaves the number to libgomp (dynamic), a plan fixes it and restores the setting. */
static void test_a_number_that_is_left_to_openmp(void **state)
{
    (void)state;
    int before = omp_get_max_threads();
    omp_set_dynamic(1);
    int kept = dv_backend_cpu.take_threads(2), dynamic = omp_get_dynamic();
    int most = omp_get_max_threads();
    (void)dv_backend_cpu.take_threads(kept);
    assert_false(dynamic);
    assert_int_equal(most, 2);
    assert_true(omp_get_dynamic());
    assert_int_equal(omp_get_max_threads(), before);
    omp_set_dynamic(0);
}

/* ---- The quota ---- */

static void store(const scratch *folder, const char *name, const char *text)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(folder, name, path);
    file_store(path, text, strlen(text));
}

static int quota_of(const scratch *folder, const char *membership)
{
    char path[SCRATCH_PATH_SIZE];
    store(folder, "membership", membership);
    scratch_path(folder, "membership", path);
    return dv__quota_processors(path, folder->folder);
}

static void test_quota(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE];
    scratch_path(folder, "inner", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(quota_of(folder, "0::/\n"), 0);
    store(folder, "cpu.max", "max 100000\n");
    assert_int_equal(quota_of(folder, "0::/\n"), 0);
    store(folder, "cpu.max", "400000 100000\n");
    assert_int_equal(quota_of(folder, "1:cpu:/old\n0::/\n"), 4);
    assert_int_equal(quota_of(folder, "0::/inner\n"), 4);
    store(folder, "inner/cpu.max", "150000 100000\n");
    assert_int_equal(quota_of(folder, "0::/inner\n"), 2);
    store(folder, "inner/cpu.max", "900000 100000\n");
    assert_int_equal(quota_of(folder, "0::/inner\n"), 4);
    store(folder, "inner/cpu.max", "1000 100000\n");
    assert_int_equal(quota_of(folder, "0::/inner/more\n"), 1);
    store(folder, "inner/cpu.max", "none");
    assert_int_equal(quota_of(folder, "0::/inner\n"), 4);
    scratch_path(folder, "inner/cpu.max", path);
    assert_int_equal(remove(path), 0);
    scratch_path(folder, "inner", path);
    assert_int_equal(remove(path), 0);
    assert_in_range(dv_physical_cores(), 1, omp_get_num_procs());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_a_region_of_the_host),
        cmocka_unit_test(test_a_number_that_is_left_to_openmp),
        cmocka_unit_test(test_quota),
    };
    return cmocka_run_group_tests_name("threads", tests, scratch_setup, scratch_teardown);
}
