/* Repeats work and takes quantiles of its times, and builds the forward pass of a model for such a
   measurement. */
#include "runner/evaluate/timing.h"
#include "engine/backends/open.h"

#include "engine/base/rng.h"
#include "engine/layers/network.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

struct dv_forward {
    dv_context *context;
    dv_network network;
    float *features; /* (batch, rows, frames) */
    float *logits;   /* (batch, classes) */
};

/* ---- Times ---- */

static int compare_seconds(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, int64_t count, double share)
{
    int64_t rank = (int64_t)ceil(share * (double)count);
    return sorted[rank > 0 ? rank - 1 : 0];
}

dv_times dv_times_of(double *seconds, int64_t count)
{
    DV_ASSERT(count >= 1);
    qsort(seconds, (size_t)count, sizeof *seconds, compare_seconds);
    return (dv_times){
        .median = quantile(seconds, count, 0.5),
        .low = quantile(seconds, count, 0.25),
        .high = quantile(seconds, count, 0.75),
        .p99 = quantile(seconds, count, 0.99),
        .minimum = seconds[0],
        .count = count,
    };
}

/* ---- Measuring ---- */

static dv_time_options with_defaults(const dv_time_options *options)
{
    dv_time_options full = *options;
    full.warm = full.warm > 0 ? full.warm : 0.2;
    full.seconds = full.seconds > 0 ? full.seconds : 1;
    full.least = full.least > 0 ? full.least : 5;
    full.most = full.most > 0 ? full.most : 100000;
    if (full.most < full.least)
        full.most = full.least;
    return full;
}

static dv_status repeat(dv_status (*work)(void *user), void *user, const dv_time_options *options,
                        double *seconds, int64_t *count)
{
    double end = dv_clock() + options->seconds;
    while (*count < options->most && (*count < options->least || dv_clock() < end)) {
        if (options->prepare != NULL)
            options->prepare(user);
        double begin = dv_clock();
        DV_TRY(work(user));
        seconds[(*count)++] = dv_clock() - begin;
    }
    return DV_OK;
}

/* Warms up with at least one repetition that is not counted, then measures. */
dv_status dv_time_work(dv_status (*work)(void *user), void *user, const dv_time_options *options,
                       dv_times *out)
{
    dv_time_options full = with_defaults(options);
    double *seconds;
    int64_t count = 0;
    DV_TRY(dv_calloc((size_t)full.most, sizeof *seconds, &seconds));
    double end = dv_clock() + full.warm;
    dv_status status;
    do {
        if (full.prepare != NULL)
            full.prepare(user);
        status = work(user);
    } while (status == DV_OK && dv_clock() < end);
    if (status == DV_OK)
        status = repeat(work, user, &full, seconds, &count);
    if (status == DV_OK)
        *out = dv_times_of(seconds, count);
    free(seconds);
    return status;
}

/* ---- The forward pass ---- */

static dv_status make_network(dv_forward *forward, const dv_forward_options *options)
{
    DV_TRY(dv_context_open(options->device, options->threads, options->log, &forward->context));
    forward->context->algorithms = DV_ALGORITHMS_MEASURED;
    dv_network_options network = {.model = options->model,
                                  .batch = options->batch,
                                  .rows = options->rows,
                                  .frames = options->frames,
                                  .classes = options->classes};
    DV_TRY(dv_network_build(forward->context, &network, &forward->network));
    DV_TRY(dv_network_plan(forward->context, NULL, &forward->network));
    return dv_params_initialize(forward->network.params, 1);
}

static dv_status make_data(dv_forward *forward, const dv_forward_options *options)
{
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST, .step = 0};
    int64_t features = options->batch * options->rows * options->frames;
    DV_TRY(dv_calloc((size_t)features, sizeof *forward->features, &forward->features));
    DV_TRY(dv_calloc((size_t)(options->batch * options->classes), sizeof *forward->logits,
                     &forward->logits));
    for (int64_t i = 0; i < features; i++)
        forward->features[i] = (float)dv_rng_normal(&rng, (uint32_t)i);
    return DV_OK;
}

dv_status dv_forward_open(const dv_forward_options *options, dv_forward **out)
{
    dv_forward *forward;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *forward, &forward));
    dv_status status = make_network(forward, options);
    if (status == DV_OK)
        status = make_data(forward, options);
    if (status != DV_OK)
        dv_forward_close(forward);
    else
        *out = forward;
    return status;
}

void dv_forward_close(dv_forward *forward)
{
    if (forward == NULL)
        return;
    dv_network_free(&forward->network);
    dv_context_close(forward->context);
    free(forward->features);
    free(forward->logits);
    free(forward);
}

dv_status dv_forward_run(void *user)
{
    dv_forward *forward = user;
    return dv_network_run(&forward->network, forward->features, forward->logits);
}

const float *dv_forward_logits(const dv_forward *forward)
{
    return forward->logits;
}

int64_t dv_forward_macs(const dv_forward *forward)
{
    return dv_graph_macs(forward->network.graph);
}

int64_t dv_forward_parameters(const dv_forward *forward)
{
    return dv_params_count(forward->network.params);
}

const struct dv_graph *dv_forward_graph(const dv_forward *forward)
{
    return forward->network.graph;
}
