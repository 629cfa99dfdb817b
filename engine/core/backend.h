/*
 * A backend: the memory of one kind of device, its implementations of the operations, and its
 * functions on whole collated buffers. There are three: ref (plain C, which defines what is right),
 * cpu (oneDNN and OpenMP) and cuda, which is in a module of its own (module.h).
 */
#ifndef DV_CORE_BACKEND_H
#define DV_CORE_BACKEND_H

#include "engine/core/op.h"
#include "kernels/formulas/dtype.h"

#include <stdio.h>

struct dv_optimizer_impl; /* engine/optimizer/optimizer.h */

typedef struct dv_backend {
    const char *name;
    size_t real_size; /* bytes of a DV_F32: 4, or 8 in the tests' reference, which uses doubles */
    bool host_memory; /* device memory is host memory, which the host reads and writes directly */
    unsigned values;  /* types that the values of a network may have: bits 1 << dv_dtype */
    bool tf32;        /* operands of products of floats may be rounded to TF32 */
    /* Whether the operands of large products may be rounded to `dtype` although values may not
       have it. The message of DV_EUNSUPPORTED says why not. NULL allows no such type. */
    dv_status (*check_operands)(dv_context *context, dv_dtype dtype);

    dv_status (*open)(dv_context *context); /* may be NULL */
    void (*close)(dv_context *context);     /* may be NULL */
    /* Selects the context's device for the calling thread before steps are planned, so that
       libraries allocate and look up on that device. May be NULL. */
    dv_status (*enter)(dv_context *context);
    const char *(*version)(void); /* libraries and their versions, for `info` */
    /* Describes device `index` in one line, and counts the devices. NULL if the host is the
       device. */
    dv_status (*describe)(int index, char *text, size_t size, int *count);

    /* Sets the number of host threads with which the calling thread plans and runs steps. Returns
       the argument that restores the previous number. NULL if steps use no host threads. */
    int (*take_threads)(int threads);
    /* Limits the host threads of an inference plan: each has, on average, at least this many
       multiply-adds per step. 0 sets no limit but the context's threads. */
    int64_t thread_macs;

    const dv_impl *const *impls; /* by dv_op.id; NULL for an operation without implementation */
    const struct dv_optimizer_impl *optimizer;

    /* Allocates device memory, zeroed and 64-byte aligned. The message of DV_ENOMEM tells the
       size. */
    dv_status (*allocate)(dv_context *context, size_t bytes, void **out);
    void (*release)(dv_context *context, void *memory);
    dv_status (*upload)(dv_context *context, void *device, const void *host, size_t bytes);
    dv_status (*download)(dv_context *context, void *host, const void *device, size_t bytes);

    /* Waits for all enqueued work. NULL if work is never enqueued. */
    dv_status (*wait)(dv_context *context);
    /* Enqueues a copy within the device. Call `wait` before the host or another context reads the
       result. */
    dv_status (*copy)(dv_context *context, void *destination, const void *source, size_t bytes);
    /* Pinned host memory, and enqueued copies from and to it, which may be recorded. NULL if device
       memory is host memory. */
    dv_status (*pin)(dv_context *context, size_t bytes, void **out);
    void (*unpin)(dv_context *context, void *pinned);
    dv_status (*send)(dv_context *context, void *device, const void *pinned, size_t bytes);
    dv_status (*fetch)(dv_context *context, void *pinned, const void *device, size_t bytes);
    /* Fills (count) floats: the gradient that a backward pass begins with. */
    dv_status (*fill)(dv_context *context, void *destination, double value, int64_t count);
    /* into[i] += from[i], both of `dtype`: sums the gradients of a value with several users. */
    dv_status (*accumulate)(dv_context *context, dv_dtype dtype, void *into, const void *from,
                            int64_t count);
    /* Enqueues a conversion between any two types in device memory; see dv_conversion. */
    dv_status (*convert)(dv_context *context, const dv_conversion *conversion);

    /*
     * Work enqueued between capture and end_capture is recorded, not run, and each replay runs it.
     * Nothing in between may wait for the device or allocate. After a failure in between,
     * end_capture discards the capture and sets *out to NULL. All of these functions are NULL if
     * work runs at once.
     */
    dv_status (*capture)(dv_context *context);
    dv_status (*end_capture)(dv_context *context, void **out);
    dv_status (*replay)(dv_context *context, void *captured);
    void (*release_captured)(dv_context *context, void *captured);
    /* Write and read the algorithms that were measured and chosen in this context, one per line of
       numbers. An algorithm that was read is not measured again. They fail with DV_EIO or
       DV_EFORMAT, and are NULL if the backend never measures. */
    dv_status (*write_choices)(dv_context *context, FILE *file);
    dv_status (*read_choices)(dv_context *context, FILE *file);
    /* The number of launches, copies and fills in one replay. */
    size_t (*captured_nodes)(const void *captured);
    /* Writes them to the file `path` for GraphViz, each with the name of its kernel. */
    dv_status (*captured_dot)(dv_context *context, const void *captured, const char *path);
} dv_backend;

/* Bytes of one element of a type in the backend's memory. */
static inline size_t dv_backend_size(const dv_backend *backend, dv_dtype dtype)
{
    return dtype == DV_F32 ? backend->real_size : dv_dtype_size(dtype);
}

/* Whether the values of a network may have the type. */
static inline bool dv_backend_has(const dv_backend *backend, dv_dtype dtype)
{
    return (backend->values >> dtype & 1) != 0;
}

#endif
