#include "engine/base/atomic_file.h"
#include "frontends/model/safetensors.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_message_has(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static void assert_content(const char *path, const char *expected)
{
    size_t size;
    unsigned char *content = file_load(path, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(content, expected, size);
    free(content);
}

static int clear_before(void **state)
{
    scratch_clear(*state);
    return 0;
}

static void test_new_content_appears_at_the_commit(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "file", path);
    file_store(path, "old", 3);
    dv_atomic_file *file = NULL;
    assert_int_equal(dv_atomic_file_open(path, &file), DV_OK);
    assert_int_equal(dv_atomic_file_write(file, "brand ", 6), DV_OK);
    assert_int_equal(dv_atomic_file_write(file, "new", 3), DV_OK);
    assert_content(path, "old");
    assert_int_equal(scratch_count(*state), 2);
    assert_int_equal(dv_atomic_file_commit(file), DV_OK);
    assert_content(path, "brand new");
    assert_int_equal(scratch_count(*state), 1);
}

static void test_abort_leaves_the_old(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "file", path);
    file_store(path, "old", 3);
    dv_atomic_file *file = NULL;
    assert_int_equal(dv_atomic_file_open(path, &file), DV_OK);
    assert_int_equal(dv_atomic_file_write(file, "new", 3), DV_OK);
    dv_atomic_file_abort(file);
    dv_atomic_file_abort(NULL);
    assert_content(path, "old");
    assert_int_equal(scratch_count(*state), 1);
}

static void test_store_at_once(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "file", path);
    assert_int_equal(dv_atomic_file_store(path, "old", 3), DV_OK);
    assert_int_equal(dv_atomic_file_store(path, "brand new", 9), DV_OK);
    assert_content(path, "brand new");
    assert_int_equal(scratch_count(*state), 1);
    scratch_path(*state, "absent/file", path);
    assert_int_equal(dv_atomic_file_store(path, "new", 3), DV_EIO);
    assert_message_has(path);
}

static void test_works_without_a_folder_in_the_path(void **state)
{
    char here[SCRATCH_PATH_SIZE];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(((scratch *)*state)->folder), 0);
    dv_atomic_file *file = NULL;
    dv_status status = dv_atomic_file_open("file", &file);
    if (status == DV_OK)
        status = dv_atomic_file_commit(file);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(status, DV_OK);
    assert_int_equal(scratch_count(*state), 1);
}

static void test_leftover_of_a_kill_is_no_obstacle(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    char name[64];
    snprintf(name, sizeof name, "file.tmp-%ld-0", (long)getpid());
    scratch_path(*state, name, path);
    file_store(path, "left over", 9);
    scratch_path(*state, "file", path);
    dv_atomic_file *file = NULL;
    assert_int_equal(dv_atomic_file_open(path, &file), DV_OK);
    assert_int_equal(dv_atomic_file_write(file, "new", 3), DV_OK);
    assert_int_equal(dv_atomic_file_commit(file), DV_OK);
    assert_content(path, "new");
}

static void test_refuses_what_is_no_file(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_atomic_file *file = NULL;
    scratch_path(*state, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(dv_atomic_file_open(path, &file), DV_EIO);
    assert_null(file);
    assert_message_has(path);
    assert_message_has("not a regular file");
    assert_int_equal(dv_atomic_file_open(((scratch *)*state)->folder, &file), DV_EIO);
    assert_message_has("not a regular file");
    assert_int_equal(dv_atomic_file_open("", &file), DV_EIO);
    scratch_path(*state, "no/such/folder", path);
    assert_int_equal(dv_atomic_file_open(path, &file), DV_EIO);
    assert_message_has(path);
    assert_message_has("No such file or directory");
    assert_int_equal(scratch_count(*state), 1);
}

/* The rename fails if the target becomes a folder while the file is written. */
static void test_failing_rename_leaves_no_temporary(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "file", path);
    dv_atomic_file *file = NULL;
    assert_int_equal(dv_atomic_file_open(path, &file), DV_OK);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(dv_atomic_file_commit(file), DV_EIO);
    assert_message_has(path);
    assert_int_equal(scratch_count(*state), 1);
}

/* Saves a checkpoint with all elements equal to `value`. `count` differs, too, so that a mixture
   shows. */
static dv_status save(const char *path, int64_t value, int64_t count)
{
    int64_t *data = malloc((size_t)count * sizeof *data);
    for (int64_t i = 0; i < count; i++)
        data[i] = value;
    dv_safetensors_entry entry = {"value", DV_SAFETENSORS_I64, 1, {count}, data};
    dv_status status = dv_safetensors_write(path, NULL, 0, &entry, 1);
    free(data);
    return status;
}

/* Loads a file of save(), checks that it is whole and returns the value. */
static int64_t load(const char *path)
{
    dv_safetensors *file = NULL;
    if (dv_safetensors_read(path, &file) != DV_OK)
        fail_msg("%s", dv_error_message());
    const dv_safetensors_entry *entry = dv_safetensors_find(file, "value");
    assert_non_null(entry);
    const int64_t *data = entry->data;
    int64_t value = data[0];
    for (int64_t i = 0; i < entry->dim[0]; i++)
        assert_int_equal(data[i], value);
    dv_safetensors_free(file);
    return value;
}

/* The disk is full after each possible number of bytes, in turn. */
static void test_full_disk_leaves_the_old(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "checkpoint", path);
    assert_int_equal(save(path, 2, 20), DV_OK);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(save(path, 1, 10), DV_OK);
    struct rlimit old_limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room <= (rlim_t)info.st_size; room++) {
        struct rlimit limit = {room, old_limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        dv_status status = save(path, 2, 20);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
        bool fits = room == (rlim_t)info.st_size;
        assert_int_equal(status, fits ? DV_OK : DV_EIO);
        assert_int_equal(load(path), fits ? 2 : 1);
        assert_int_equal(scratch_count(*state), 1);
        if (!fits) {
            assert_message_has(path);
            assert_message_has("File too large");
        }
    }
    signal(SIGXFSZ, old_handler);
}

/* Saves 1 and 2 in turn until it is killed. */
static _Noreturn void save_forever(const char *path)
{
    for (;;) {
        if (save(path, 1, 20000) != DV_OK || save(path, 2, 70000) != DV_OK)
            _exit(1);
    }
}

static void test_kill_leaves_the_old_or_the_new(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "checkpoint", path);
    assert_int_equal(save(path, 1, 20000), DV_OK);
    uint32_t random = 12345;
    for (int round = 0; round < 50; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_forever(path);
        random = random * 1664525 + 1013904223;
        struct timespec pause = {0, 1000000 + (long)(random % 12000000)};
        nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
        assert_in_range(load(path), 1, 2);
    }
    assert_int_equal(save(path, 3, 10), DV_OK);
    assert_int_equal(load(path), 3);
}

static void test_temporaries_are_known_by_their_exact_form(void **state)
{
    (void)state;
    static const char *const temporaries[] = {"file.tmp-1-0", "file.tmp-4194304-998"};
    static const char *const others[] = {"file",
                                         "file.tmp-",
                                         "file.tmp-1",
                                         "file.tmp-1-",
                                         "file.tmp--1-0",
                                         "file.tmp-01-0",
                                         "file.tmp-1-00",
                                         "file.tmp-1-999",
                                         "file.tmp-1-0x",
                                         "file.tmp-1-0.txt",
                                         "file.tmp-a-0",
                                         "afile.tmp-1-0",
                                         "file.old.tmp-1-0",
                                         "",
                                         "file.tmp-+1-0",
                                         "file.tmp- 1-0",
                                         "file.tmp-1-0\n",
                                         "file.tmp-99999999999999999999-0"};
    for (size_t i = 0; i < sizeof temporaries / sizeof temporaries[0]; i++)
        assert_true(dv_atomic_file_is_temporary(temporaries[i], "file"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(dv_atomic_file_is_temporary(others[i], "file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_new_content_appears_at_the_commit, clear_before),
        cmocka_unit_test_setup(test_abort_leaves_the_old, clear_before),
        cmocka_unit_test_setup(test_store_at_once, clear_before),
        cmocka_unit_test_setup(test_works_without_a_folder_in_the_path, clear_before),
        cmocka_unit_test_setup(test_leftover_of_a_kill_is_no_obstacle, clear_before),
        cmocka_unit_test_setup(test_refuses_what_is_no_file, clear_before),
        cmocka_unit_test(test_temporaries_are_known_by_their_exact_form),
        cmocka_unit_test_setup(test_failing_rename_leaves_no_temporary, clear_before),
        cmocka_unit_test_setup(test_full_disk_leaves_the_old, clear_before),
        cmocka_unit_test_setup(test_kill_leaves_the_old_or_the_new, clear_before),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
