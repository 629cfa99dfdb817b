/* For programs that run every test on ref and cpu, or, as `program DEVICE`, on a module's
   backend. */
#ifndef DV_TESTS_EACH_BACKEND_H
#define DV_TESTS_EACH_BACKEND_H

#include "engine/core/context.h"

typedef struct tested_backends {
    const dv_backend *items[2];
    int count;
} tested_backends;

typedef struct backend_test {
    const char *name;
    void (*test)(const dv_backend *backend);
} backend_test;

/* Returns false if the device is not available, and sets *status as device_backend does. */
bool open_backends(int argc, char **argv, tested_backends *out, int *status);

/* Runs the tests under cmocka, each on all backends. Returns the number of tests that failed. */
int run_on_each(const char *group, const tested_backends *backends, const backend_test *tests,
                size_t count);

#endif
