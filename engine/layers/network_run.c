/* Runs a network from features on the host to logits on the host. */
#include "engine/base/convert.h"
#include "engine/layers/network_internal.h"

#include <stdlib.h>
#include <string.h>

/* The host's side of a pass. `sent` and `got` are pinned memory in the values' own types. If device
   memory is host memory, both are NULL and features are written into the plan directly. */
typedef struct dv_network_host {
    float *features; /* (batch, rows, frames), converted to `sent`; NULL if `sent` or the plan holds
                        the features */
    void *sent, *got;
    int64_t feature_count, logit_count;
    bool ran; /* the first pass has run call by call; libraries load their code in it */
    bool unrecordable;
    void *recording;
} dv_network_host;

static const dv_backend *backend_of(const dv_network *network)
{
    return network->context->backend;
}

void dv__network_host_free(dv_network *network)
{
    dv_network_host *host = network->host;
    if (host == NULL)
        return;
    const dv_backend *backend = backend_of(network);
    if (host->recording != NULL)
        backend->release_captured(network->context, host->recording);
    if (host->sent != NULL)
        backend->unpin(network->context, host->sent);
    if (host->got != NULL)
        backend->unpin(network->context, host->got);
    free(host->features);
    free(host);
    network->host = NULL;
}

static dv_status allocate(dv_network *network, dv_network_host *host)
{
    const dv_backend *backend = backend_of(network);
    const dv_node *nodes = network->graph->nodes;
    DV_ASSERT(backend->real_size == sizeof(float));
    host->feature_count = dv_shape_count(nodes[network->input].shape);
    host->logit_count = dv_shape_count(nodes[network->logits].shape);
    if (backend->host_memory)
        return DV_OK;
    dv_dtype input = nodes[network->input].type.dtype;
    size_t sent = dv_dtype_size(input);
    DV_TRY(backend->pin(network->context, (size_t)host->feature_count * sent, &host->sent));
    DV_TRY(backend->pin(network->context, (size_t)host->logit_count * sizeof(float), &host->got));
    return input == DV_F32
               ? DV_OK
               : dv_calloc((size_t)host->feature_count, sizeof *host->features, &host->features);
}

static dv_status need_host(dv_network *network)
{
    if (network->host != NULL)
        return DV_OK;
    DV_TRY(dv_calloc(1, sizeof *network->host, &network->host));
    dv_status status = allocate(network, network->host);
    if (status != DV_OK)
        dv__network_host_free(network);
    return status;
}

dv_status dv_network_features(dv_network *network, float **out)
{
    *out = NULL;
    DV_TRY(need_host(network));
    const dv_network_host *host = network->host;
    if (backend_of(network)->host_memory)
        *out = dv_plan_address(network->plan, network->input);
    else
        *out = host->features != NULL ? host->features : host->sent;
    return DV_OK;
}

/* ---- On a device ---- */

/* Enqueues a whole pass, which can be recorded. */
static dv_status enqueue(void *of_network)
{
    dv_network *network = of_network;
    dv_pass pass = {.training = false};
    const dv_network_host *host = network->host;
    DV_TRY(dv_plan_send(network->plan, network->input, host->sent));
    DV_TRY(dv_plan_forward(network->plan, &pass));
    return dv_plan_fetch(network->plan, network->logits, host->got);
}

/* Records the second pass; the first one runs call by call. Returns whether a pass is recorded. */
static bool is_recorded(dv_network *network)
{
    dv_network_host *host = network->host;
    if (backend_of(network)->capture == NULL || host->unrecordable || !host->ran)
        return false;
    if (host->recording != NULL ||
        dv_context_record(network->context, enqueue, network, &host->recording) == DV_OK)
        return true;
    host->unrecordable = true;
    dv_log_write(&network->context->log, DV_LOG_WARNING,
                 "passes run call by call, since one cannot be recorded: %s", dv_error_message());
    return false;
}

/* Sends the features in the input's type, runs a pass, recorded or not, and converts the fetched
   logits. */
static dv_status answer_on_device(dv_network *network, float *logits)
{
    dv_network_host *host = network->host;
    const dv_backend *backend = backend_of(network);
    const dv_node *nodes = network->graph->nodes;
    dv_conversion features = {.source = host->features,
                              .into = host->sent,
                              .count = host->feature_count,
                              .to = nodes[network->input].type};
    dv_conversion answer = {.source = host->got,
                            .into = logits,
                            .count = host->logit_count,
                            .from = nodes[network->logits].type};
    if (host->features != NULL)
        dv_convert(&features, sizeof(float));
    DV_TRY(is_recorded(network) ? backend->replay(network->context, host->recording)
                                : enqueue(network));
    DV_TRY(backend->wait(network->context));
    host->ran = true;
    dv_convert(&answer, sizeof(float));
    return DV_OK;
}

dv_status dv_network_answer(dv_network *network, float *logits)
{
    dv_pass pass = {.training = false};
    DV_TRY(need_host(network));
    if (!backend_of(network)->host_memory)
        return answer_on_device(network, logits);
    DV_TRY(dv_plan_forward(network->plan, &pass));
    return dv_plan_download(network->plan, network->logits, logits);
}

dv_status dv_network_run(dv_network *network, const float *features, float *logits)
{
    float *to;
    DV_TRY(dv_network_features(network, &to));
    memcpy(to, features, (size_t)network->host->feature_count * sizeof *to);
    return dv_network_answer(network, logits);
}

size_t dv_network_recorded(const dv_network *network)
{
    const dv_network_host *host = network->host;
    return host != NULL && host->recording != NULL
               ? backend_of(network)->captured_nodes(host->recording)
               : 0;
}
