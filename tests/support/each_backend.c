#include "tests/support/each_backend.h"
#include "engine/backends/open.h"
#include "tests/support/device.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

bool open_backends(int argc, char **argv, tested_backends *out, int *status)
{
    *out = (tested_backends){.items = {&dv_backend_ref, &dv_backend_cpu}, .count = 2};
    if (argc > 1)
        *out = (tested_backends){.items = {device_backend(argv[1], status)}, .count = 1};
    return out->items[0] != NULL;
}

/* The state that cmocka passes to a test. */
typedef struct on_backends {
    const backend_test *test;
    const tested_backends *backends;
} on_backends;

static void on_each(void **state)
{
    const on_backends *on = *state;
    for (int i = 0; i < on->backends->count; i++)
        on->test->test(on->backends->items[i]);
}

int run_on_each(const char *group, const tested_backends *backends, const backend_test *tests,
                size_t count)
{
    struct CMUnitTest *units = calloc(count, sizeof *units);
    on_backends *states = calloc(count, sizeof *states);
    int failed = (int)count;
    if (units != NULL && states != NULL) {
        for (size_t i = 0; i < count; i++) {
            states[i] = (on_backends){&tests[i], backends};
            units[i] = (struct CMUnitTest){tests[i].name, on_each, NULL, NULL, &states[i]};
        }
        failed = _cmocka_run_group_tests(group, units, count, NULL, NULL);
    }
    free(units);
    free(states);
    return failed;
}
