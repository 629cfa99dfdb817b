/* Makes and times the forward pass, and whole answers from samples to probabilities. */
#include "benchmarks/steps_internal.h"
#include "engine/base/rng.h"
#include "engine/train/metrics.h"
#include "frontends/features/features.h"
#include "runner/evaluate/timing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making ---- */

dv_status steps_make_inference(steps *s)
{
    dv_network_options options = {.model = s->model,
                                  .batch = s->chosen.batch,
                                  .rows = s->chosen.rows,
                                  .frames = s->chosen.frames,
                                  .classes = s->chosen.classes,
                                  .precision = s->precision};
    DV_TRY(dv_network_build(s->context, &options, &s->network));
    DV_TRY(dv_network_plan(s->context, NULL, &s->network));
    s->params = s->network.params;
    DV_TRY(dv_calloc((size_t)steps_target_count(s), sizeof(float), &s->logits));
    DV_TRY(dv_params_initialize(s->params, (uint64_t)s->chosen.seed));
    if (!s->chosen.resident)
        return DV_OK;
    size_t bytes = (size_t)steps_feature_count(s) * dv_dtype_size(s->precision.values);
    DV_TRY(steps_make_resident(s));
    return s->context->backend->copy(s->context, dv_plan_address(s->network.plan, s->network.input),
                                     s->resident_features, bytes);
}

/* ---- Passes ---- */

dv_status steps_infer_batch(steps *s, const float *features, float *logits)
{
    return dv_network_run(&s->network, features, logits);
}

static dv_status forward(void *of_steps)
{
    steps *s = of_steps;
    dv_pass pass = {.training = false};
    return dv_plan_forward(s->network.plan, &pass);
}

static dv_status record(steps *s)
{
    DV_TRY(dv_context_record(s->context, forward, s, &s->recording));
    s->counters.nodes = s->context->backend->captured_nodes(s->recording);
    return DV_OK;
}

/* The second pass is recorded: libraries load kernels in the first one, which a recording
   forbids. */
static dv_status enqueue_pass(steps *s)
{
    const dv_backend *backend = s->context->backend;
    if (s->chosen.record && backend->capture != NULL && s->counters.eager > 0) {
        if (s->recording == NULL)
            DV_TRY(record(s));
        s->counters.replays++;
        return backend->replay(s->context, s->recording);
    }
    s->counters.eager++;
    return forward(s);
}

/* Enqueues s->report passes and waits for the device. */
static dv_status infer_resident(steps *s)
{
    for (int64_t i = 0; i < s->report; i++)
        DV_TRY(enqueue_pass(s));
    return s->context->backend->wait(s->context);
}

static dv_status infer_from_host(steps *s)
{
    for (int64_t i = 0; i < s->report; i++) {
        size_t number = s->batch_number++ % (size_t)s->chosen.batches;
        DV_TRY(
            steps_infer_batch(s, s->features + number * (size_t)steps_feature_count(s), s->logits));
        s->counters.nodes = dv_network_recorded(&s->network);
        if (s->counters.nodes > 0)
            s->counters.replays++;
        else
            s->counters.eager++;
    }
    return DV_OK;
}

dv_status steps_infer(steps *s)
{
    while (s->stop == 0) {
        DV_TRY(s->chosen.resident ? infer_resident(s) : infer_from_host(s));
        steps_counted(s, 0);
    }
    return DV_OK;
}

/* ---- Latency ---- */

struct steps_listener {
    dv_frontend *frontend;
    float *samples;        /* (batch, samples) of noise */
    float *features;       /* (batch, rows, frames) */
    double *probabilities; /* (batch, classes) */
    void *scratch;
};

void steps_listener_free(steps_listener *listener)
{
    if (listener == NULL)
        return;
    dv_frontend_free(listener->frontend);
    free(listener->samples);
    free(listener->features);
    free(listener->probabilities);
    free(listener->scratch);
    free(listener);
}

static dv_status fill_listener(const steps *s, steps_listener *listener)
{
    dv_features_config config;
    DV_TRY(dv_fields_default(dv_features_fields, &config));
    DV_TRY(dv_frontend_create(&config, &listener->frontend));
    int64_t rows = dv_frontend_rows(listener->frontend);
    int64_t frames = dv_frontend_frames(listener->frontend);
    if (rows != s->chosen.rows || frames != s->chosen.frames)
        return DV_FAIL(DV_EARG,
                       "latency: the front-end makes %" PRId64 " x %" PRId64
                       " features, and --rows and --frames say %" PRId64 " x %" PRId64,
                       rows, frames, s->chosen.rows, s->chosen.frames);
    int64_t samples = s->chosen.batch * dv_frontend_samples(listener->frontend);
    DV_TRY(dv_calloc((size_t)samples, sizeof(float), &listener->samples));
    DV_TRY(dv_calloc((size_t)steps_feature_count(s), sizeof(float), &listener->features));
    DV_TRY(dv_calloc((size_t)steps_target_count(s), sizeof(double), &listener->probabilities));
    size_t scratch = (dv_frontend_scratch(listener->frontend) + 63) / 64 * 64;
    listener->scratch = aligned_alloc(64, scratch > 0 ? scratch : 64);
    if (listener->scratch == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", scratch);
    dv_rng rng = {.seed = (uint64_t)s->chosen.seed, .use = DV_RNG_TEST, .step = 2};
    for (int64_t i = 0; i < samples; i++)
        listener->samples[i] = 0.1F * (float)dv_rng_normal(&rng, (uint32_t)i);
    return DV_OK;
}

static dv_status open_listener(steps *s)
{
    steps_listener *listener;
    if (s->network.plan == NULL)
        return DV_FAIL(DV_EARG, "latency: answers are only measured with --inference");
    if (s->listener != NULL)
        return DV_OK;
    DV_TRY(dv_calloc(1, sizeof *listener, &listener));
    dv_status status = fill_listener(s, listener);
    if (status != DV_OK)
        steps_listener_free(listener);
    else
        s->listener = listener;
    return status;
}

/* Computes one answer. The forward pass is a replay if it can be recorded. */
static dv_status answer(steps *s)
{
    steps_listener *listener = s->listener;
    int64_t window = dv_frontend_samples(listener->frontend);
    int64_t features = s->chosen.rows * s->chosen.frames, classes = s->chosen.classes;
    for (int64_t i = 0; i < s->chosen.batch; i++)
        dv_frontend_compute(listener->frontend, listener->samples + i * window,
                            listener->features + i * features, listener->scratch);
    DV_TRY(dv_plan_upload(s->network.plan, s->network.input, listener->features));
    DV_TRY(enqueue_pass(s));
    DV_TRY(dv_plan_download(s->network.plan, s->network.logits, s->logits));
    for (int64_t i = 0; i < s->chosen.batch; i++)
        dv_softmax(s->logits + i * classes, classes, listener->probabilities + i * classes);
    return DV_OK;
}

dv_status steps_latency(steps *s, int64_t count, double *seconds)
{
    DV_TRY(open_listener(s));
    for (int64_t i = 0; i < count; i++) {
        double start = dv_clock();
        DV_TRY(answer(s));
        seconds[i] = dv_clock() - start;
    }
    return DV_OK;
}
