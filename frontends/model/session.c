/* Makes sessions, and runs batches of clips through them. */
#include "frontends/model/session_internal.h"
#include "engine/device/threads.h"
#include "engine/train/metrics.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CAPACITY = 4096 };

/* ---- Making ---- */

static dv_status make_lane(const dv_session *session, dv__lane *lane)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    size_t scratch = (dv_frontend_scratch(frontend) + 63) / 64 * 64;
    DV_TRY(dv_calloc((size_t)dv_frontend_samples(frontend), sizeof *lane->window, &lane->window));
    lane->scratch = aligned_alloc(64, scratch > 0 ? scratch : 64);
    if (lane->scratch == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", scratch);
    return dv_resampler_create(dv_model_sample_rate(session->model), &lane->resampler);
}

static void free_lane(dv__lane *lane)
{
    free(lane->samples);
    free(lane->raw);
    free(lane->window);
    free(lane->scratch);
    dv_resampler_free(lane->resampler);
}

/* The first session for one clip on one thread borrows the network of the model. */
static dv_status make_network(dv_session *session)
{
    bool smallest = session->capacity == 1 && session->threads == 1;
    session->network = smallest ? dv__model_borrow(session->model) : NULL;
    if (session->network == NULL) {
        DV_TRY(dv__model_network(session->model, session->capacity, session->threads,
                                 &session->context, &session->own));
        session->network = &session->own;
        session->threads = session->context->threads; /* may be fewer than asked for */
    }
    return dv_network_features(session->network, &session->features);
}

static dv_status make(dv_session *session)
{
    size_t classes = dv_model_label_count(session->model), capacity = (size_t)session->capacity;
    DV_TRY(make_network(session));
    DV_TRY(dv_calloc(capacity, sizeof *session->slots, &session->slots));
    DV_TRY(dv_calloc(capacity * classes, sizeof *session->logits, &session->logits));
    DV_TRY(dv_calloc(classes, sizeof *session->exact, &session->exact));
    DV_TRY(dv_calloc((size_t)session->threads, sizeof *session->lanes, &session->lanes));
    for (int i = 0; i < session->threads; i++)
        DV_TRY(make_lane(session, &session->lanes[i]));
    return DV_OK;
}

static dv_status check_options(const dv_session_options *options)
{
    if (options->capacity < 0 || options->capacity > MOST_CAPACITY)
        return DV_FAIL(DV_EARG, "dv_session_options: capacity is %d, must be 0 to %d",
                       options->capacity, MOST_CAPACITY);
    if (options->threads < -1 || options->threads > DV_MOST_THREADS)
        return DV_FAIL(DV_EARG, "dv_session_options: threads is %d, must be -1 to %d",
                       options->threads, DV_MOST_THREADS);
    return DV_OK;
}

/* A context with few threads lowers OpenMP's number of threads for this thread, so that number is
   restored. */
dv_status dv_session_create(dv_model *model, const dv_session_options *options, dv_session **out)
{
    dv_session *session;
    dv_session_options all;
    *out = NULL;
    DV_TRY(dv__options_take(options, sizeof all, "dv_session_options", &all));
    DV_TRY(check_options(&all));
    DV_TRY(dv_calloc(1, sizeof *session, &session));
    session->model = model;
    session->capacity = all.capacity > 0 ? all.capacity : 1;
    session->threads = all.threads < 0 ? dv_physical_cores() : all.threads > 0 ? all.threads : 1;
    int threads_before = omp_get_max_threads();
    dv_status status = make(session);
    omp_set_num_threads(threads_before);
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
    if (session->network != NULL && session->network != &session->own)
        dv__model_return(session->model);
    dv_network_free(&session->own);
    dv_context_close(session->context);
    for (int i = 0; session->lanes != NULL && i < session->threads; i++)
        free_lane(&session->lanes[i]);
    free(session->lanes);
    free(session->slots);
    free(session->logits);
    free(session->exact);
    free(session);
}

dv_model *dv_session_model(const dv_session *session)
{
    return session->model;
}

int dv_session_capacity_for(const dv_model *model, int64_t clips)
{
    int most = dv_model_context(model)->backend->host_memory ? 16 : 64;
    return clips < 1 ? 1 : clips < most ? (int)clips : most;
}

/* ---- A lane ---- */

dv_status dv__lane_reserve(dv__lane *lane, size_t count)
{
    return dv_reserve(count, sizeof *lane->samples, &lane->room, &lane->samples);
}

void dv__lane_features(const dv_session *session, dv__lane *lane, const float *samples,
                       int64_t count, int64_t center, float *features)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    dv_frontend_cut(frontend, samples, count, center, 0, 1, lane->window);
    dv_frontend_compute(frontend, lane->window, features, lane->scratch);
}

void dv__lane_prepare(const dv_session *session, dv__lane *lane, float *samples, int64_t count,
                      float *features, dv_seen *seen)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    double rate = (double)dv_model_sample_rate(session->model);
    int64_t from, to, center = dv_frontend_prepare(frontend, samples, count);
    dv_frontend_seen(frontend, count, center, 0, &from, &to);
    *seen = (dv_seen){(double)count / rate, (double)from / rate, (double)to / rate};
    dv__lane_features(session, lane, samples, count, center, features);
}

dv_status dv__lane_prepare_copy(const dv_session *session, dv__lane *lane, const float *samples,
                                int64_t count, float *features)
{
    dv_seen ignored;
    DV_TRY(dv__lane_reserve(lane, (size_t)count));
    memcpy(lane->samples, samples, (size_t)count * sizeof *samples);
    dv__lane_prepare(session, lane, lane->samples, count, features, &ignored);
    return DV_OK;
}

/* ---- A batch ---- */

typedef struct batch {
    dv_session *session;
    int64_t from, size; /* `size` is the floats of a clip's features */
    dv__fill fill;
    void *user;
} batch;

/* The error message belongs to the thread, so it is copied. */
static void fill_slot(const batch *b, int thread, int64_t i)
{
    dv_session *session = b->session;
    dv__slot *slot = &session->slots[i];
    slot->status = b->fill(b->user, session, &session->lanes[thread], b->from + i,
                           session->features + i * b->size);
    if (slot->status != DV_OK)
        snprintf(slot->message, sizeof slot->message, "%s", dv_error_message());
}

static void fill_slots(const batch *b, int64_t count)
{
    int threads = count < b->session->threads ? (int)count : b->session->threads;
    if (threads <= 1) { /* a parallel region of one thread would allocate */
        for (int64_t i = 0; i < count; i++)
            fill_slot(b, 0, i);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t i = 0; i < count; i++)
        fill_slot(b, omp_get_thread_num(), i);
}

static bool any_good(const dv__slot *slots, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (slots[i].status == DV_OK)
            return true;
    }
    return false;
}

static void check_finite(dv__slot *slot, const float *logits, int64_t classes)
{
    for (int64_t k = 0; slot->status == DV_OK && k < classes; k++) {
        if (isfinite(logits[k]))
            continue;
        slot->status =
            DV_FAIL(DV_ENUMERIC, "the model's answer is not finite: its weights are unusable");
        snprintf(slot->message, sizeof slot->message, "%s", dv_error_message());
    }
}

/* Places behind the last clip and places that failed keep old features. This does no harm, since
   each clip is computed by itself. */
dv_status dv__session_pass(dv_session *session, int64_t from, int64_t count, dv__fill fill,
                           void *user)
{
    const dv_frontend *frontend = dv_model_frontend(session->model);
    int64_t classes = dv_model_classes(session->model);
    DV_ASSERT(count <= session->capacity);
    batch b = {.session = session,
               .from = from,
               .size = dv_frontend_rows(frontend) * dv_frontend_frames(frontend),
               .fill = fill,
               .user = user};
    fill_slots(&b, count);
    if (!any_good(session->slots, count))
        return DV_OK;
    DV_TRY(dv_network_answer(session->network, session->logits));
    for (int64_t i = 0; i < count; i++)
        check_finite(&session->slots[i], session->logits + i * classes, classes);
    return DV_OK;
}

void dv__session_probabilities(dv_session *session, const float *logits, float *probabilities)
{
    int64_t classes = dv_model_classes(session->model);
    dv_softmax(logits, classes, session->exact);
    for (int64_t k = 0; k < classes; k++)
        probabilities[k] = (float)session->exact[k];
}

/* ---- Prepared clips ---- */

typedef struct clip_list {
    const dv_dataset *dataset;
    const int64_t *indices;
} clip_list;

static dv_status fill_clip(void *user, dv_session *session, dv__lane *lane, int64_t i,
                           float *features)
{
    const clip_list *list = user;
    const dv_clip *clip = &list->dataset->clips[list->indices[i]];
    dv__lane_features(session, lane, clip->samples, clip->count, clip->center, features);
    return DV_OK;
}

dv_status dv_session_clips(dv_session *session, const dv_dataset *dataset, const int64_t *indices,
                           int64_t count, float *logits)
{
    int64_t classes = dv_model_classes(session->model);
    clip_list list = {dataset, indices};
    for (int64_t from = 0; from < count; from += session->capacity) {
        int64_t most = count - from < session->capacity ? count - from : session->capacity;
        DV_TRY(dv__session_pass(session, from, most, fill_clip, &list));
        memcpy(logits + from * classes, session->logits, (size_t)(most * classes) * sizeof *logits);
        for (int64_t i = 0; i < most; i++) {
            if (session->slots[i].status != DV_OK)
                return dv_fail(session->slots[i].status, "%s", session->slots[i].message);
        }
    }
    return DV_OK;
}
