/* Opens and closes contexts, and records enqueued work. */
#include "engine/core/context.h"

#include <stdlib.h>

const char *const dv_algorithms_names[] = {
    [DV_ALGORITHMS_FIXED] = "fixed",
    [DV_ALGORITHMS_MEASURED] = "measured",
    [DV_ALGORITHMS_ANY] = "any",
    NULL,
};

const char *const dv_algorithms_to_answer_names[] = {
    [DV_ALGORITHMS_FIXED] = "fixed",
    [DV_ALGORITHMS_MEASURED] = "measured",
    [DV_ALGORITHMS_ANY] = "any",
    [DV_ALGORITHMS_KEPT] = "kept",
    NULL,
};

dv_status dv_context_create(const dv_backend *backend, int device_index, int threads, dv_log log,
                            dv_context **out)
{
    *out = NULL;
    dv_context *context;
    DV_TRY(dv_calloc(1, sizeof *context, &context));
    context->backend = backend;
    context->device_index = device_index;
    context->threads = threads;
    context->log = log;
    if (backend->open != NULL) {
        dv_status status = backend->open(context);
        if (status != DV_OK) {
            free(context);
            return status;
        }
    }
    *out = context;
    return DV_OK;
}

dv_status dv_context_set_tf32(dv_context *context, bool on)
{
    if (on && !context->backend->tf32)
        return DV_FAIL(DV_EUNSUPPORTED, "%s has no TF32: its products are computed in fp32",
                       context->backend->name);
    context->tf32 = on;
    return DV_OK;
}

/* If `enqueue` fails, the end of the recording fails too. So the first message is kept. */
dv_status dv_context_record(dv_context *context, dv_status (*enqueue)(void *user), void *user,
                            void **out)
{
    const dv_backend *backend = context->backend;
    char reason[512] = "";
    *out = NULL;
    DV_TRY(backend->capture(context));
    dv_status status = enqueue(user);
    if (status != DV_OK)
        snprintf(reason, sizeof reason, "%s", dv_error_message());
    dv_status ended = backend->end_capture(context, out);
    if (status == DV_OK)
        return ended;
    if (*out != NULL)
        backend->release_captured(context, *out);
    *out = NULL;
    return dv_fail(status, "%s", reason);
}

void dv_context_close(dv_context *context)
{
    if (context == NULL)
        return;
    if (context->backend->close != NULL)
        context->backend->close(context);
    free(context);
}
