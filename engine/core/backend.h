/*
 * A backend: one device's memory, its implementations of the operations, and the operations on
 * whole collated buffers. Three columns: ref (plain C, the truth), cpu (oneDNN and OpenMP), and
 * cuda, which lives in a module (module.h).
 */
#ifndef DV_CORE_BACKEND_H
#define DV_CORE_BACKEND_H

#include "engine/core/op.h"
#include "engine/ops/optimizer/optimizer.h"

typedef struct dv_backend {
    const char *name;
    size_t real_size; /* bytes of an element: 4, or 8 on the reference of the tests */
    bool host_memory; /* device memory is the host's: it may be read and written directly */

    dv_status (*open)(dv_context *context); /* NULL: nothing to do */
    void (*close)(dv_context *context);     /* NULL: nothing to do */
    const char *(*version)(void);           /* libraries and their versions, for `info` */
    /* Tells about device `index` in a line, and how many there are. NULL: there is the host. */
    dv_status (*describe)(int index, char *text, size_t size, int *count);

    const dv_impl *const *impls; /* (DV_OP_COUNT), by dv_op_id; NULL where it has none */
    const dv_optimizer_impl *optimizer;

    /* Device memory: zeroed, 64-byte aligned. DV_ENOMEM says how much was asked for. */
    dv_status (*allocate)(dv_context *context, size_t bytes, void **out);
    void (*release)(dv_context *context, void *memory);
    dv_status (*upload)(dv_context *context, void *device, const void *host, size_t bytes);
    dv_status (*download)(dv_context *context, void *host, const void *device, size_t bytes);

    dv_status (*copy)(dv_context *context, void *destination, const void *source, size_t bytes);
    dv_status (*fill)(dv_context *context, void *destination, double value, int64_t count);
    /* into[i] += from[i]: gradients of a value with several users. */
    dv_status (*accumulate)(dv_context *context, void *into, const void *from, int64_t count);
} dv_backend;

extern const dv_backend dv_backend_ref;
extern const dv_backend dv_backend_cpu;

#endif
