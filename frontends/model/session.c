/* Plan, window and scratch of one thread, and an answer by means of them. */
#include "frontends/model/session.h"
#include "frontends/model/choices.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

struct dv_session {
    const dv_model *model;
    dv_context *context; /* NULL: the model's own */
    dv_plan *plan;
    float *window;   /* (samples) */
    float *features; /* (rows, frames), NULL where the front-end writes into the plan's memory */
    void *scratch;   /* of the front-end */
};

static dv_status allocate(dv_session *session)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    size_t size = (size_t)(dv_frontend_rows(frontend) * dv_frontend_frames(frontend));
    size_t scratch = (dv_frontend_scratch(frontend) + 63) / 64 * 64;
    DV_TRY(dv_calloc((size_t)dv_frontend_samples(frontend), sizeof *session->window,
                     &session->window));
    session->scratch = aligned_alloc(64, scratch > 0 ? scratch : 64);
    if (session->scratch == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", scratch);
    if (dv_model_context(session->model)->backend->host_memory)
        return DV_OK;
    return dv_calloc(size, sizeof *session->features, &session->features);
}

/* The first session has the plan that opening the model made; each further one makes its own, from
   inside its thread, so that all plans are made and run under the same conditions. */
static dv_status make_plan(dv_session *session, dv_model *model)
{
    session->plan = dv_model_take_plan(model);
    if (session->plan != NULL)
        return DV_OK;
    DV_TRY(dv_context_open_same(dv_model_context(model), 1, &session->context));
    DV_TRY(dv_choices_share(dv_model_context(model), session->context));
    return dv_network_plan_again(dv_model_network(model), session->context, &session->plan);
}

dv_status dv_session_create(dv_model *model, dv_session **out)
{
    dv_session *session;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *session, &session));
    session->model = model;
    int threads_before = omp_get_max_threads();
    dv_status status = allocate(session);
    if (status == DV_OK)
        status = make_plan(session, model);
    omp_set_num_threads(threads_before); /* a context of one thread sets it to 1 */
    if (status != DV_OK) {
        dv_session_free(session);
        return status;
    }
    *out = session;
    return DV_OK;
}

void dv_session_free(dv_session *session)
{
    if (session == NULL)
        return;
    dv_plan_free(session->plan);
    dv_context_close(session->context);
    free(session->window);
    free(session->features);
    free(session->scratch);
    free(session);
}

/* Window, features, forward pass. Where memory is the host's, the front-end writes straight into
   the plan's input. */
dv_status dv_session_answer(dv_session *session, const float *samples, int64_t count,
                            int64_t center, float *logits)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    const dv_network *network = dv_model_network(session->model);
    dv_frontend_cut(frontend, samples, count, center, 0, 1, session->window);
    float *features = session->features;
    if (features == NULL)
        features = dv_plan_address(session->plan, network->input);
    dv_frontend_compute(frontend, session->window, features, session->scratch);
    if (session->features != NULL)
        DV_TRY(dv_plan_upload(session->plan, network->input, features));
    dv_pass pass = {.training = false};
    DV_TRY(dv_plan_forward(session->plan, &pass));
    DV_TRY(dv_plan_download(session->plan, network->logits, logits));
    for (int64_t k = 0; k < dv_model_classes(session->model); k++) {
        if (!isfinite(logits[k]))
            return DV_FAIL(DV_ENUMERIC, "the model's answer is not finite: its weights are of no "
                                        "use");
    }
    return DV_OK;
}
