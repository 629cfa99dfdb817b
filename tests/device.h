/* For programs that test a backend of a module: `program DEVICE`, cudasim or cuda. */
#ifndef TESTS_DEVICE_H
#define TESTS_DEVICE_H

#include "engine/core/context.h"

/* Exit status of a test that cannot run here; ctest counts it as skipped. */
enum { DEVICE_SKIPPED = 77 };

/*
 * The backend of `device`, NULL where it cannot be had: the reason is printed then, and *status is
 * what the program is to exit with: the simulated device must work where its module is, a real one
 * may be missing.
 */
const dv_backend *device_backend(const char *device, int *status);

#endif
