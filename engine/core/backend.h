/*
 * A backend: one device's memory, its implementations of the operations, and the operations on
 * whole collated buffers. Three columns: ref (plain C, the truth), cpu (oneDNN and OpenMP), and
 * cuda, which lives in a module (module.h).
 */
#ifndef DV_CORE_BACKEND_H
#define DV_CORE_BACKEND_H

#include "engine/core/op.h"
#include "kernels/formulas/dtype.h"

#include <stdio.h>

struct dv_optimizer_impl; /* engine/optimizer/optimizer.h */

typedef struct dv_backend {
    const char *name;
    size_t real_size; /* bytes of DV_F32: 4, or 8 on the reference of the tests, where doubles stand
                         for floats */
    bool host_memory; /* device memory is the host's: it may be read and written directly */
    unsigned values;  /* types that the values of a network may have: bits 1 << dv_dtype */
    bool tf32;        /* operands of products of floats may be rounded to TF32 */
    /* Whether the operands of large products may be rounded to `dtype` where values may not have
       it; DV_EUNSUPPORTED says why not. NULL: to none. */
    dv_status (*check_operands)(dv_context *context, dv_dtype dtype);

    dv_status (*open)(dv_context *context); /* NULL: nothing to do */
    void (*close)(dv_context *context);     /* NULL: nothing to do */
    /* Makes the context's device the calling thread's, before steps are planned: what libraries
       allocate or look up then is of that device. NULL: nothing to do. */
    dv_status (*enter)(dv_context *context);
    const char *(*version)(void); /* libraries and their versions, for `info` */
    /* Tells about device `index` in a line, and how many there are. NULL: there is the host. */
    dv_status (*describe)(int index, char *text, size_t size, int *count);

    /* Gives the calling thread so many threads of the host to plan and run steps with; returns
       what gives it those back that it had. NULL: the host's threads have no part in them. */
    int (*take_threads)(int threads);
    /* A plan that only infers takes so many threads of the host that each gets, on the average, at
       least this many multiply-adds of a step. 0: it takes all threads of the context. */
    int64_t thread_macs;

    const dv_impl *const *impls; /* by dv_op.id; NULL where it has none */
    const struct dv_optimizer_impl *optimizer;

    /* Device memory: zeroed, 64-byte aligned. DV_ENOMEM says how much was asked for. */
    dv_status (*allocate)(dv_context *context, size_t bytes, void **out);
    void (*release)(dv_context *context, void *memory);
    dv_status (*upload)(dv_context *context, void *device, const void *host, size_t bytes);
    dv_status (*download)(dv_context *context, void *host, const void *device, size_t bytes);

    dv_status (*wait)(dv_context *context); /* for all that was enqueued; NULL: nothing ever is */
    /* Within the device; enqueued: `wait` comes before the host or another context reads it. */
    dv_status (*copy)(dv_context *context, void *destination, const void *source, size_t bytes);
    /* Memory of the host that copies can be enqueued from and to, and these copies; they may be
       recorded. NULL where memory is the host's. */
    dv_status (*pin)(dv_context *context, size_t bytes, void **out);
    void (*unpin)(dv_context *context, void *pinned);
    dv_status (*send)(dv_context *context, void *device, const void *pinned, size_t bytes);
    dv_status (*fetch)(dv_context *context, void *pinned, const void *device, size_t bytes);
    /* (count) of float: the gradient that a backward pass begins with. */
    dv_status (*fill)(dv_context *context, void *destination, double value, int64_t count);
    /* into[i] += from[i], both of `dtype`: gradients of a value with several users. */
    dv_status (*accumulate)(dv_context *context, dv_dtype dtype, void *into, const void *from,
                            int64_t count);
    /* Enqueued. Any two types, in device memory; see dv_conversion. */
    dv_status (*convert)(dv_context *context, const dv_conversion *conversion);

    /*
     * Work that is enqueued between capture and end_capture is not done but kept, and each replay
     * does it. Nothing in between may wait for the device or allocate. All are NULL where work is
     * done at once. After a failure in between, end_capture gives the capture up: *out is NULL.
     */
    dv_status (*capture)(dv_context *context);
    dv_status (*end_capture)(dv_context *context, void **out);
    dv_status (*replay)(dv_context *context, void *captured);
    void (*release_captured)(dv_context *context, void *captured);
    /* The algorithms that were measured and chosen in this context, one in a line of numbers, and
       the way back: what is read is not measured again. DV_EIO; DV_EFORMAT. NULL: nothing is ever
       measured. */
    dv_status (*write_choices)(dv_context *context, FILE *file);
    dv_status (*read_choices)(dv_context *context, FILE *file);
    /* The launches, copies and fills that one replay does. */
    size_t (*captured_nodes)(const void *captured);
    /* Writes them to the file `path` for GraphViz, each with the name of its kernel. */
    dv_status (*captured_dot)(dv_context *context, const void *captured, const char *path);
} dv_backend;

/* Bytes of an element of a type in the backend's memory. */
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
