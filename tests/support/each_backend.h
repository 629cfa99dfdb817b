/* For programs that run every test on ref and cpu, or on the backend of a module: `program DEVICE`.
 */
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

/* False where the device cannot be had; *status: see device_backend. */
bool open_backends(int argc, char **argv, tested_backends *out, int *status);

/* As cmocka tests, each on all backends; the number that failed. */
int run_on_each(const char *group, const tested_backends *backends, const backend_test *tests,
                size_t count);

#endif
