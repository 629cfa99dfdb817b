/* Values of /proc, and the name under which a processor's measurements are stored. */
#include "engine/base/proc.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

/* The name that a file of this text gives, in at most `size` bytes. */
static void assert_processor(void **state, const char *text, size_t size, const char *expected)
{
    char path[SCRATCH_PATH_SIZE], name[256];
    scratch_path(*state, "cpuinfo", path);
    file_store(path, text, strlen(text));
    dv_proc_processor(path, name, size);
    assert_string_equal(name, expected);
}

static void test_processors(void **state)
{
    assert_processor(state,
                     "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\n"
                     "model\t\t: 2\nmodel name\t: AMD EPYC\nstepping\t: 1\n\n"
                     "processor\t: 1\ncpu family\t: 1\nmodel\t\t: 9\nmodel name\t: other\n",
                     256, "AMD EPYC (family 26, model 2)");
    /* The order is the kernel's own; "model" alone is not "model name". */
    assert_processor(state, "model name\t: A: 2.0GHz \nmodel\t: 17\ncpu family\t: 25\n", 256,
                     "A: 2.0GHz (family 25, model 17)");
    assert_processor(state, "model name\t: A\n", 256, "A");
    assert_processor(state, "cpu family\t: 6\nmodel name\t: A\n", 256, "A");
    assert_processor(state, "model name\t: A\nmodel\t: 1\ncpu family\t: 6\n", 8, "A (fami");
}

static void test_no_name(void **state)
{
    struct utsname system;
    char path[SCRATCH_PATH_SIZE], name[256];
    assert_int_equal(uname(&system), 0);
    assert_processor(state, "processor\t: 0\nCPU implementer\t: 0x41\n", 256, system.machine);
    scratch_path(*state, "no such file", path);
    dv_proc_processor(path, name, sizeof name);
    assert_string_equal(name, system.machine);
}

static void test_values(void **state)
{
    static const char text[] = "VmRSSx:\t1 kB\nNo colon\nVmRSS:\t  12 kB\nVmRSS:\t3 kB\nEmpty:\n";
    char path[SCRATCH_PATH_SIZE], value[16] = "before";
    scratch_path(*state, "status", path);
    file_store(path, text, strlen(text));
    assert_false(dv_proc_value(path, "No", value, sizeof value));
    assert_false(dv_proc_value(path, "VmR", value, sizeof value));
    assert_false(dv_proc_value("/proc/no such file", "VmRSS", value, sizeof value));
    assert_string_equal(value, "before");
    assert_true(dv_proc_value(path, "VmRSS", value, sizeof value));
    assert_string_equal(value, "12 kB");
    assert_true(dv_proc_value(path, "Empty", value, sizeof value));
    assert_string_equal(value, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
