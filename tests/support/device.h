/* For programs that test a backend of a module: `program DEVICE`, cudasim or cuda. */
#ifndef DV_TESTS_DEVICE_H
#define DV_TESTS_DEVICE_H

#include "engine/core/context.h"

#include <stdbool.h>

/* Exit status of a test that cannot run here; ctest counts it as skipped. */
enum { DEVICE_SKIPPED = 77 };

/*
 * The backend of `device`, NULL where it cannot be had: the reason is printed then, and *status is
 * what the program is to exit with: the simulated device must work where its module is, a real one
 * may be missing.
 */
const dv_backend *device_backend(const char *device, int *status);

/* The context that the tests of a program share, since opening one takes a real device long: of the
   backend that device_backend has given, with the settings of a new one. Open until the end. */
dv_context *device_context(void);

/* Whether it sums in the order of the CPU, so that the limits found on it are strict. */
bool device_is_simulated(const dv_backend *backend);

/*
 * What whole trainings and models deviate by, from the same elsewhere: rounding grows in them from
 * step to step and from layer to layer, so `limit`, found on the simulated device, says nothing of
 * others. Prints "deviation: NAME VALUE (simulated: at most LIMIT)". False: `value` is no number,
 * or is above the limit on the simulated device.
 */
bool device_may_deviate(const dv_backend *backend, const char *name, double value, double limit);

#endif
