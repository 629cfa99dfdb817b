/* Builds, plans and frees a network. network_run.c runs it. */
#include "engine/layers/network.h"
#include "engine/layers/network_internal.h"

static dv_status build(dv_context *context, const dv_network_options *options, dv_network *out)
{
    dv_shape features = {options->batch, options->rows, options->frames, 1};
    dv_shape targets = {options->batch, 1, 1, options->classes};
    out->params = options->params;
    out->owns_params = options->params == NULL;
    if (out->owns_params)
        DV_TRY(dv_params_create(context, options->precision, &out->params));
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

dv_status dv_network_plan(dv_context *context, const dv_plan_options *options, dv_network *network)
{
    dv_plan_options all = options != NULL ? *options : (dv_plan_options){0};
    all.outputs = &network->logits;
    all.output_count = 1;
    network->context = context;
    return dv_plan_create(context, network->graph, &all, &network->plan);
}

void dv_network_free(dv_network *network)
{
    dv__network_host_free(network);
    dv_plan_free(network->plan);
    dv_graph_free(network->graph);
    if (network->owns_params)
        dv_params_free(network->params);
    *network = (dv_network){0};
}
