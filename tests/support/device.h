/* For programs that test a module's backend, run as `program cudasim` or `program cuda`. */
#ifndef DV_TESTS_DEVICE_H
#define DV_TESTS_DEVICE_H

#include "engine/core/context.h"

#include <stdbool.h>

/* Exit status of a test that cannot run here; ctest counts it as skipped. */
enum { DEVICE_SKIPPED = 77 };

/*
 * Opens the backend of `device`. If it is not available, prints the reason, sets *status to the
 * program's exit status and returns NULL. A real device may be missing; the simulated device must
 * work if its module exists.
 */
const dv_backend *device_backend(const char *device, int *status);

/* The context of device_backend's backend, with the settings of a new one. All tests of a program
   share it, because opening one on a real device takes long. It stays open until exit. */
dv_context *device_context(void);

/* Whether the backend is the simulated device. It sums in the order of the CPU, so limits found on
   it are strict. */
bool device_is_simulated(const dv_backend *backend);

/*
 * Judges how far a whole training or model deviates from the same on another backend. Rounding
 * grows from step to step and from layer to layer, so `limit`, found on the simulated device, does
 * not bind others. Prints "deviation: NAME VALUE (simulated: at most LIMIT)". Returns false if
 * `value` is not finite, or on the simulated device above the limit.
 */
bool device_may_deviate(const dv_backend *backend, const char *name, double value, double limit);

#endif
