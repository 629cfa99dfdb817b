/* Opens contexts by the names of their devices. Declares the backends inside the program. */
#ifndef DV_BACKENDS_OPEN_H
#define DV_BACKENDS_OPEN_H

#include "engine/core/context.h"

extern const dv_backend dv_backend_ref;
extern const dv_backend dv_backend_cpu;

/*
 * Opens `device`: "cpu", "ref", "cuda" (the first), "cuda:N", "cudasim" or "cudasim:N" (the
 * simulated device of the tests), or "auto". "auto" is the first CUDA device, or the CPU if there
 * is none; the log says why if the module is installed. 0 threads stands for dv_physical_cores. If
 * the system cannot start that many threads, the context has fewer and the log a warning. Fails
 * with DV_EDEVICE if the device is not available (the message says why), and with DV_EARG for an
 * unknown name.
 */
dv_status dv_context_open(const char *device, int threads, dv_log log, dv_context **out);

/* The same for a given backend, mainly for tests. */
dv_status dv_context_open_backend(const dv_backend *backend, int threads, dv_log log,
                                  dv_context **out);

/* Opens one more context on the device of `other`, for another thread. */
dv_status dv_context_open_same(const dv_context *other, int threads, dv_context **out);

#endif
