/* Builds, plans and runs a network. */
#include "engine/layers/network.h"

static dv_status build(dv_context *context, const dv_network_options *options, dv_network *out)
{
    dv_shape features = {options->batch, options->rows, options->frames, 1};
    dv_shape targets = {options->batch, 1, 1, options->classes};
    out->params = options->params;
    out->owns_params = options->params == NULL;
    if (out->owns_params)
        DV_TRY(dv_params_create(context, &out->params));
    DV_TRY(dv_graph_create(out->params, &out->graph));
    DV_TRY(dv_graph_input(out->graph, "features", features, &out->input));
    if (options->targets)
        DV_TRY(dv_graph_input(out->graph, "targets", targets, &out->targets));
    return dv_model_build(out->graph, options->model, out->input, options->classes, &out->logits);
}

dv_status dv_network_build(dv_context *context, const dv_network_options *options, dv_network *out)
{
    *out = (dv_network){0};
    dv_status status = build(context, options, out);
    if (status != DV_OK)
        dv_network_free(out);
    return status;
}

static dv_status plan(const dv_network *network, dv_context *context,
                      const dv_plan_options *options, dv_plan **out)
{
    dv_plan_options all = options != NULL ? *options : (dv_plan_options){0};
    all.outputs = &network->logits;
    all.output_count = 1;
    return dv_plan_create(context, network->graph, &all, out);
}

dv_status dv_network_plan(dv_context *context, const dv_plan_options *options, dv_network *network)
{
    return plan(network, context, options, &network->plan);
}

dv_status dv_network_plan_again(const dv_network *network, dv_context *context, dv_plan **out)
{
    return plan(network, context, NULL, out);
}

dv_status dv_network_run(const dv_network *network, const float *features, float *logits)
{
    dv_pass pass = {.training = false};
    DV_TRY(dv_plan_upload(network->plan, network->input, features));
    DV_TRY(dv_plan_forward(network->plan, &pass));
    return dv_plan_download(network->plan, network->logits, logits);
}

void dv_network_free(dv_network *network)
{
    dv_plan_free(network->plan);
    dv_graph_free(network->graph);
    if (network->owns_params)
        dv_params_free(network->params);
    *network = (dv_network){0};
}
