/* Opening files to read: no open waits for a pipe. */
#include "engine/base/input_file.h"
#include "engine/base/sha256.h"
#include "engine/base/yaml.h"
#include "frontends/dataset/dataset.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE = 60 }; /* s, then a signal ends a test that hangs */

static void assert_message(const char *path, const char *part)
{
    if (strstr(dv_error_message(), path) == NULL || strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' and '%s' are not in the message: %s", path, part, dv_error_message());
}

static void assert_refused(const char *path, dv_status code, const char *part)
{
    FILE *file = (FILE *)(uintptr_t)1;
    assert_int_equal(dv_input_open(path, &file), code);
    assert_null(file);
    assert_message(path, part);
}

static void test_only_regular_files(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE];
    FILE *file;
    scratch_path(folder, "pipe", path);
    assert_refused(path, DV_EIO, "cannot be opened: No such file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, DV_EIO, "is a pipe, not a regular file");
    assert_refused(folder->folder, DV_EIO, "is a directory");
    assert_refused("/dev/null", DV_EIO, "is not a regular file");
    scratch_path(folder, "text", path);
    file_store(path, "text", 4);
    assert_int_equal(dv_input_open(path, &file), DV_OK);
    assert_int_equal(fgetc(file), 't');
    fclose(file);
    scratch_clear(folder);
}

/* Too many open files are an error of the system, not of the file. */
static void test_too_many_open_files(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    struct rlimit before, none;
    FILE *file;
    scratch_path(*state, "text", path);
    file_store(path, "text", 4);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dv_status status = dv_input_open(path, &file);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, DV_ESYSTEM);
    assert_message(path, "Too many open files");
    scratch_clear(*state);
}

static void test_readers(void **state)
{
    char path[SCRATCH_PATH_SIZE], digest[DV_SHA256_SIZE];
    dv_tree *tree;
    dv_dataset dataset;
    scratch_path(*state, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(dv_yaml_read(path, &tree), DV_EIO);
    assert_message(path, "is a pipe");
    assert_int_equal(dv_sha256_file(path, digest), DV_EIO);
    assert_message(path, "is a pipe");
    assert_int_equal(dv_dataset_open(path, &dataset), DV_EIO);
    assert_message(path, "is a pipe");
    scratch_clear(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_regular_files),
        cmocka_unit_test(test_too_many_open_files),
        cmocka_unit_test(test_readers),
    };
    alarm(PATIENCE);
    return cmocka_run_group_tests_name("input files", tests, scratch_setup, scratch_teardown);
}
