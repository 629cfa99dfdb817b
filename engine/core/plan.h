/*
 * A plan: a graph made ready to run on a context. Algorithms are chosen, one arena holds all
 * values, gradients and saved data (places reused by liveness), and forward and backward walk an
 * array of steps. Nothing is allocated after dv_plan_create.
 *
 *     dv_plan *plan;
 *     DV_TRY(dv_plan_create(context, graph, &(dv_plan_options){.training = true}, &plan));
 *     DV_TRY(dv_params_initialize(params, seed));
 *     DV_TRY(dv_plan_upload(plan, input, features));
 *     DV_TRY(dv_plan_forward(plan, &run));
 *     DV_TRY(dv_plan_backward(plan, &run, 1.0 / batch));
 *
 * Where nothing is trained, a backend may compute several nodes in one step (dv_impl.absorb), and
 * nodes that only training knows (dropout) vanish.
 *
 * Several plans may share parameters. The first one chooses their layouts, and with these the ways
 * to compute that all of them have. So the first plan has to have every parameter that later ones
 * have, and a plan that trains has to be the first: a plan that comes too late is refused. Hence
 * the order in which plans are made changes no bit of what they compute.
 */
#ifndef DV_CORE_PLAN_H
#define DV_CORE_PLAN_H

#include "engine/core/context.h"
#include "engine/core/graph.h"

typedef struct dv_plan dv_plan;

typedef struct dv_plan_options {
    bool training;      /* plan the backward pass too */
    bool check_finite;  /* after every node look for NaN and infinity: DV_ENUMERIC names the node */
    bool time_layers;   /* measure each node: dv_plan_times */
    bool keep_all;      /* reuse no memory, absorb no node: every value and gradient can be read
                           afterwards */
    const int *outputs; /* (output_count) values that are read after forward: kept to the end; */
    int output_count;   /* the last node always is */
    const int *gradients; /* (gradient_count) inputs whose gradient is wanted: by default none */
    int gradient_count;
    dv_buffer values; /* what forward takes parameters and states from: DV_BUFFER_VALUES by default,
                         or DV_BUFFER_AVERAGE, allocated before; not for training */
} dv_plan_options;

/* Plans; allocates the parameters where no plan before has (and gradients, when training). On
   failure the first plan leaves the parameters as they were declared. DV_EARG: an earlier plan has
   chosen the layouts for something else, see above. */
dv_status dv_plan_create(dv_context *context, const dv_graph *graph, const dv_plan_options *options,
                         dv_plan **out);
void dv_plan_free(dv_plan *plan);

typedef struct dv_plan_memory {
    size_t arena;   /* bytes allocated, scratch included */
    size_t tensors; /* bytes of all tensors, had none shared a place */
    int tensor_count;
    size_t scratch; /* the largest need of one step */
} dv_plan_memory;
dv_plan_memory dv_plan_memory_use(const dv_plan *plan);

/* Host <-> the value or gradient of a node; whole tensors, on the host always of the backend's real
   type. Values that are not inputs or outputs may have been overwritten unless keep_all. */
dv_status dv_plan_upload(dv_plan *plan, int value, const void *host);
dv_status dv_plan_download(const dv_plan *plan, int value, void *host);
dv_status dv_plan_download_gradient(const dv_plan *plan, int value, void *host);
dv_status dv_plan_upload_gradient(dv_plan *plan, int value, const void *host);

/* The same, enqueued, from and to memory that the backend has pinned, and raw: in the value's own
   type (dv_node.type). For backends that enqueue work; may be recorded. */
dv_status dv_plan_send(dv_plan *plan, int value, const void *pinned);
dv_status dv_plan_fetch(const dv_plan *plan, int value, void *pinned);

/* Puts the value `from` of one plan into an input of another plan of the same context, of the same
   shape; enqueued. */
dv_status dv_plan_copy(const dv_plan *plan, int from, dv_plan *other, int input);

/* Device address of a value; for inputs the host may write to it directly where the backend's
   memory is the host's (ref, cpu). NULL: the value is not kept. */
void *dv_plan_address(const dv_plan *plan, int value);

/* Device address of the gradient that backward begins with: of the last node. NULL where nothing in
   the plan has a gradient. */
void *dv_plan_seed_address(const dv_plan *plan);

dv_status dv_plan_forward(dv_plan *plan, const dv_pass *pass);

/* Backward from the last node of the graph, whose gradient is `seed` in every element. The last
   node must be in DV_F32. */
dv_status dv_plan_backward(dv_plan *plan, const dv_pass *pass, double seed);

/* The same with the last node's gradient written before (dv_plan_upload_gradient,
   dv_plan_seed_address). */
dv_status dv_plan_backward_from(dv_plan *plan, const dv_pass *pass);

/* Per node: mean seconds of a call of forward and of backward since the plan was made, without the
   first one, in which a library may make its kernels, where there are more; 0: there was none. What
   a node absorbs counts with it. */
void dv_plan_times(const dv_plan *plan, int node, double *forward, double *backward);

/* ---- for dv_impl.plan ---- */

/* Memory that lives from the node's forward to its backward (in an inference plan: for the
   forward step only). Address: step->saved. */
void dv_planner_save(dv_planner *planner, size_t bytes);

/* Memory for one call of forward or backward, undefined before and after. Address: step->scratch.
   The largest request of the step counts. */
void dv_planner_scratch(dv_planner *planner, size_t bytes);

/*
 * Asks for a layout of trainable parameter i of the node. Ownership passes. True: the parameter
 * has this layout (now, or from the first plan); false: the first plan, or dv_params_allocate
 * before it, has fixed another one, see dv_planner_layout, and the implementation must convert.
 */
bool dv_planner_set_layout(dv_planner *planner, int i, dv_layout *layout);

/* The layout that parameter i has, NULL: PyTorch's order. */
const dv_layout *dv_planner_layout(const dv_planner *planner, int i);

#endif
