/*
 * A context: one open device with its number of threads and its log. All other objects are made in
 * a context and must be freed before it. Only one thread at a time may use a context.
 */
#ifndef DV_CORE_CONTEXT_H
#define DV_CORE_CONTEXT_H

#include "engine/base/log.h"
#include "engine/core/backend.h"
#include "engine/core/precision.h"

/* How to choose among several algorithms of a library. */
typedef enum dv_algorithms {
    /* The library's rules choose a repeatable algorithm: every run gives the same bytes. */
    DV_ALGORITHMS_FIXED,
    /* The fastest repeatable algorithm by measurement. Another run may choose another one. */
    DV_ALGORITHMS_MEASURED,
    /* The fastest algorithm by measurement, even if its bytes differ from call to call or, in
       floats, it rounds more than sums of products do. */
    DV_ALGORITHMS_ANY,
    /* The algorithms of an earlier MEASURED that the context has read (dv_backend.read_choices),
       and FIXED for the rest. Nothing is measured. */
    DV_ALGORITHMS_KEPT,
} dv_algorithms;

/* The choices for a training: "fixed", "measured", "any", NULL. */
extern const char *const dv_algorithms_names[];
/* The choices for inference: the same with "kept" before NULL. */
extern const char *const dv_algorithms_to_answer_names[];

struct dv_context {
    const dv_backend *backend;
    void *device;     /* data of the backend, from open to close */
    int device_index; /* N of "cuda:N"; 0 for other devices */
    int threads;      /* host threads of this context, at least 1 */
    bool tf32;        /* products of floats round their operands to TF32 and sum in float */
    dv_algorithms algorithms;
    dv_log log;
};

/* Opens device `device_index` of `backend` with `threads` threads, at least 1.
   engine/backends/open.h opens a device by its name. */
dv_status dv_context_create(const dv_backend *backend, int device_index, int threads, dv_log log,
                            dv_context **out);

/* Sets whether later plans round the operands of products of floats, convolutions included, to TF32
   (a fraction of 10 bits in place of 23). Fails with DV_EUNSUPPORTED if the backend has no TF32. */
dv_status dv_context_set_tf32(dv_context *context, bool on);

/* The arithmetic of products with operands of `dtype`: "fp32", "tf32", "fp16", "bf16", "int8". */
static inline const char *dv_products_name(const dv_context *context, dv_dtype operands)
{
    return operands == DV_F32 && context->tf32 ? "tf32" : dv_dtype_name(operands);
}

/*
 * Makes a view of a context: the same device, stream, threads and log, with settings of its own for
 * the arithmetic (tf32, algorithms). Objects of a view and of its context may use each other. A
 * view is a plain value that owns nothing and is never closed. It must not move while objects made
 * in it exist, and `context` must outlive it.
 */
static inline dv_context dv_context_view(const dv_context *context)
{
    return *context;
}

/*
 * Records the work that `enqueue` enqueues, without running it, on a backend that can record.
 * dv_backend.replay runs *out, and the caller releases it. *out is NULL on failure; work that
 * cannot be recorded can still be run.
 */
dv_status dv_context_record(dv_context *context, dv_status (*enqueue)(void *user), void *user,
                            void **out);

void dv_context_close(dv_context *context);

#endif
