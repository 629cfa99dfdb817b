/*
 * A network: a model's graph from features to logits, and its plan. All code that runs a section
 * `model` goes through it.
 *
 *     dv_network network;
 *     DV_TRY(dv_network_build(context, &(dv_network_options){.model = model, ...}, &network));
 *     DV_TRY(dv_network_plan(context, NULL, &network));
 *     DV_TRY(dv_network_run(&network, features, logits));
 *     dv_network_free(&network);
 *
 * Between building and planning, nodes may be added to the graph and parameters frozen. The first
 * plan gives the parameters their places and layouts. So if networks share parameters, the training
 * network must be planned first.
 */
#ifndef DV_LAYERS_NETWORK_H
#define DV_LAYERS_NETWORK_H

#include "engine/core/plan.h"
#include "engine/layers/model.h"

typedef struct dv_network {
    dv_params *params;
    bool owns_params;
    dv_graph *graph;
    dv_plan *plan;                /* NULL before dv_network_plan */
    struct dv_network_host *host; /* host memory of dv_network_run; NULL before its first call */
    dv_context *context;          /* the plan's context */
    int input;                    /* (batch, rows, frames, 1) */
    int targets;                  /* (batch, 1, 1, classes), if options.targets */
    int logits;                   /* (batch, 1, 1, classes) */
} dv_network;

typedef struct dv_network_options {
    const dv_tree *model; /* the section `model` */
    int64_t batch, rows, frames, classes;
    bool targets;           /* add an input for targets after the one for features */
    dv_params *params;      /* borrowed from other networks; NULL makes new ones */
    dv_precision precision; /* for new parameters only; others have their precision already */
} dv_network_options;

/* Builds the network. Fails as dv_model_build does; *out is then empty. */
dv_status dv_network_build(dv_context *context, const dv_network_options *options, dv_network *out);

/* Plans the network with its logits as output. `options` may ask for more, or be NULL. */
dv_status dv_network_plan(dv_context *context, const dv_plan_options *options, dv_network *network);

/*
 * Runs inference. features (batch, rows, frames) and logits (batch, classes) are host memory. If
 * the device enqueues work, both are copied through pinned memory. From the second pass on, the
 * copies and the pass are one recording, which one wait ends, and nothing is allocated.
 */
dv_status dv_network_run(dv_network *network, const float *features, float *logits);

/* The same in two steps, which saves a copy. *out is the memory from which dv_network_answer reads
   the features; the caller writes them before that. The address is the same in each pass. */
dv_status dv_network_features(dv_network *network, float **out);
dv_status dv_network_answer(dv_network *network, float *logits);

/* The number of launches, copies and fills in the recorded pass, or 0 if none is recorded. */
size_t dv_network_recorded(const dv_network *network);

/* Frees the plan, the graph, and the parameters if the network owns them. */
void dv_network_free(dv_network *network);

#endif
