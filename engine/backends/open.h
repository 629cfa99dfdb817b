/* Contexts by the names of their devices, and the backends that are part of the program. */
#ifndef DV_BACKENDS_OPEN_H
#define DV_BACKENDS_OPEN_H

#include "engine/core/context.h"

extern const dv_backend dv_backend_ref;
extern const dv_backend dv_backend_cpu;

/*
 * Opens `device`: "cpu", "ref", "cuda" (the first), "cuda:N", "cudasim" and "cudasim:N" (the
 * simulated device of the tests), or "auto": the first CUDA device, or the CPU where none can be
 * had; the log says why if the module is there. threads 0: dv_physical_cores. Where so many
 * cannot be made there are fewer, and the log is warned. DV_EDEVICE: the device cannot be had, and
 * why; DV_EARG: no such name.
 */
dv_status dv_context_open(const char *device, int threads, dv_log log, dv_context **out);

/* The same for a backend at hand: what tests begin with. */
dv_status dv_context_open_backend(const dv_backend *backend, int threads, dv_log log,
                                  dv_context **out);

/* One more context on the device of `other`, for another thread. */
dv_status dv_context_open_same(const dv_context *other, int threads, dv_context **out);

#endif
