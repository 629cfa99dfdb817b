/*
 * A context: one device, opened, with its number of threads and its log. Everything else is made
 * in a context and must be freed before it. One thread at a time uses a context.
 */
#ifndef DV_CORE_CONTEXT_H
#define DV_CORE_CONTEXT_H

#include "engine/base/log.h"
#include "engine/core/backend.h"
#include "engine/core/precision.h"

/* Which of a library's algorithms are taken where there are several. */
typedef enum dv_algorithms {
    DV_ALGORITHMS_FIXED,    /* repeatable, by the library's rules: the same bytes in every run */
    DV_ALGORITHMS_MEASURED, /* repeatable, the fastest here: another run may choose another one */
    DV_ALGORITHMS_ANY,      /* the fastest here, also where it gives other bytes each time or, in
                               floats, rounds more than sums of products do */
    DV_ALGORITHMS_KEPT,     /* those that MEASURED has found before and the context has read
                               (dv_backend.read_choices), and FIXED where there are none: nothing is
                               measured */
} dv_algorithms;

/* "fixed", "measured", "any", NULL: what a training can be told. */
extern const char *const dv_algorithms_names[];
/* The same with "kept" before NULL. */
extern const char *const dv_algorithms_to_answer_names[];

struct dv_context {
    const dv_backend *backend;
    void *device;     /* the backend's own, from open to close */
    int device_index; /* N of "cuda:N", else 0 */
    int threads;      /* host threads of this context, at least 1 */
    bool tf32;        /* products of floats round their operands to TF32, with sums in float */
    dv_algorithms algorithms;
    dv_log log;
};

/* A context on device `device_index` of `backend` with so many threads, at least 1. By the name of
   a device: engine/backends/open.h. */
dv_status dv_context_create(const dv_backend *backend, int device_index, int threads, dv_log log,
                            dv_context **out);

/* Whether the operands of products of floats, convolutions among them, are rounded to TF32 (10 bits
   of the fraction in place of 23) in all plans to be made. DV_EUNSUPPORTED: the backend has no
   TF32. */
dv_status dv_context_set_tf32(dv_context *context, bool on);

/* What products of operands of `dtype` are computed in: "fp32", "tf32", "fp16", "bf16", "int8". */
static inline const char *dv_products_name(const dv_context *context, dv_dtype operands)
{
    return operands == DV_F32 && context->tf32 ? "tf32" : dv_dtype_name(operands);
}

/*
 * A view of a context: the same device, its stream with it, the same threads and log, and an
 * arithmetic of its own to set (tf32, algorithms). What is made in either may use what is
 * made in the other. A view is a plain value that owns nothing: it is never closed, it stays in one
 * place while anything that was made in it is there, and `context` is closed after it.
 */
static inline dv_context dv_context_view(const dv_context *context)
{
    return *context;
}

/*
 * Records what `enqueue` enqueues, on a backend that records; nothing of it is done. *out is what
 * dv_backend.replay does, and the caller's to release. On failure it is NULL: what cannot be
 * recorded can still be run.
 */
dv_status dv_context_record(dv_context *context, dv_status (*enqueue)(void *user), void *user,
                            void **out);

void dv_context_close(dv_context *context);

#endif
