/* Temporary folders: their place, that each is new, and refusals. */
#include "engine/base/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 512 };

static void assert_message(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

/* Makes a folder that only its owner can read. rmdir shows that it is empty. */
static void make(char path[PATH_SIZE])
{
    struct stat info;
    if (dv_temporary_folder(path, PATH_SIZE) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void assert_below(const char *path, const char *parent)
{
    assert_memory_equal(path, parent, strlen(parent));
    assert_int_equal(path[strlen(parent)], '/');
    assert_null(strchr(path + strlen(parent) + 1, '/'));
}

static void test_follows_tmpdir(void **state)
{
    (void)state;
    char outer[PATH_SIZE], one[PATH_SIZE], other[PATH_SIZE];
    make(outer);
    assert_int_equal(setenv("TMPDIR", outer, 1), 0);
    make(one);
    make(other);
    assert_below(one, outer);
    assert_below(other, outer);
    assert_string_not_equal(one, other);
    assert_int_equal(rmdir(one), 0);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(rmdir(outer), 0);
}

static void test_without_tmpdir(void **state)
{
    (void)state;
    static const char *const values[] = {NULL, ""};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char path[PATH_SIZE];
        assert_int_equal(values[i] ? setenv("TMPDIR", values[i], 1) : unsetenv("TMPDIR"), 0);
        make(path);
        assert_below(path, "/tmp");
        assert_int_equal(rmdir(path), 0);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    char path[PATH_SIZE] = "old", small[8] = "old";
    assert_int_equal(setenv("TMPDIR", "no/such/place", 1), 0);
    assert_int_equal(dv_temporary_folder(path, sizeof path), DV_EIO);
    assert_message("cannot make a temporary folder in no/such/place: ");
    assert_message("No such file");
    assert_string_equal(path, "");
    assert_int_equal(dv_temporary_folder(small, sizeof small), DV_EIO);
    assert_message("no/such/place");
    assert_string_equal(small, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_tmpdir),
        cmocka_unit_test(test_without_tmpdir),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
