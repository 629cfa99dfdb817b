/*
 * A network: a model's graph from features to logits, and its plan. The one way from a section
 * `model` to something that runs.
 *
 *     dv_network network;
 *     DV_TRY(dv_network_build(context, &(dv_network_options){.model = model, ...}, &network));
 *     DV_TRY(dv_network_plan(context, NULL, &network));
 *     DV_TRY(dv_network_run(&network, features, logits));
 *     dv_network_free(&network);
 *
 * Between building and planning more nodes may be added to the graph, and parameters be frozen. The
 * first plan gives the parameters their places and layouts: of networks that share parameters, the
 * one that trains is planned first.
 */
#ifndef DV_LAYERS_NETWORK_H
#define DV_LAYERS_NETWORK_H

#include "engine/core/plan.h"
#include "engine/layers/model.h"

typedef struct dv_network {
    dv_params *params;
    bool owns_params;
    dv_graph *graph;
    dv_plan *plan;                /* NULL: there is none yet */
    struct dv_network_host *host; /* what dv_network_run needs on the host; NULL until it is used */
    dv_context *context;          /* of the plan */
    int input;                    /* (batch, rows, frames, 1) */
    int targets;                  /* (batch, 1, 1, classes), where they are wanted */
    int logits;                   /* (batch, 1, 1, classes) */
} dv_network;

typedef struct dv_network_options {
    const dv_tree *model; /* the section `model` */
    int64_t batch, rows, frames, classes;
    bool targets;      /* an input for them comes behind that of the features */
    dv_params *params; /* shared with other networks, and borrowed; NULL: of the network's own */
    dv_precision precision; /* where it has parameters of its own; theirs otherwise */
} dv_network_options;

/* *out is empty on failure. DV_ECONFIG, DV_ESHAPE: as dv_model_build. */
dv_status dv_network_build(dv_context *context, const dv_network_options *options, dv_network *out);

/* Plans the network, with its logits as output; `options`: what else is wanted, NULL: nothing. */
dv_status dv_network_plan(dv_context *context, const dv_plan_options *options, dv_network *network);

/*
 * Inference. features (batch, rows, frames) and logits (batch, classes) are the host's. Where work
 * is enqueued on a device, the copies of both go through pinned memory; from the second pass on
 * they and the pass are one recording, and one wait ends it. From then on nothing is allocated.
 */
dv_status dv_network_run(dv_network *network, const float *features, float *logits);

/* The same in two steps, which spare a copy: *out is where the next pass takes its features from;
   they may be written until dv_network_answer runs it. It stays the same from pass to pass. */
dv_status dv_network_features(dv_network *network, float **out);
dv_status dv_network_answer(dv_network *network, float *logits);

/* The launches, copies and fills of the recorded pass; 0: none is recorded. */
size_t dv_network_recorded(const dv_network *network);

/* The plan, the graph, and parameters of its own. */
void dv_network_free(dv_network *network);

#endif
