/*
 * A plan: a graph that is ready to run on a context. Algorithms are chosen, and one arena holds all
 * values, gradients and saved data, whose places are reused by liveness. Forward and backward walk
 * an array of steps. Nothing is allocated after dv_plan_create.
 *
 *     dv_plan *plan;
 *     DV_TRY(dv_plan_create(context, graph, &(dv_plan_options){.training = true}, &plan));
 *     DV_TRY(dv_params_initialize(params, seed));
 *     DV_TRY(dv_plan_upload(plan, input, features));
 *     DV_TRY(dv_plan_forward(plan, &run));
 *     DV_TRY(dv_plan_backward(plan, &run, 1.0 / batch));
 *
 * In an inference plan the backend may compute several nodes in one step (dv_impl.absorb), and
 * nodes that only matter in training (dropout) vanish.
 *
 * Several plans may share parameters. The first plan chooses the layouts, and with them the
 * algorithms of all plans. So the first plan must use every parameter that later plans use, and a
 * training plan must be the first; a plan that comes too late is refused. Hence the order of plans
 * changes no bit of their results.
 */
#ifndef DV_CORE_PLAN_H
#define DV_CORE_PLAN_H

#include "engine/core/context.h"
#include "engine/core/graph.h"

typedef struct dv_plan dv_plan;

typedef struct dv_plan_options {
    bool training;      /* plan the backward pass too */
    bool check_finite;  /* look for NaN and infinity after every node: DV_ENUMERIC names the node */
    bool time_layers;   /* measure each node: dv_plan_times */
    bool keep_all;      /* reuse no memory and absorb no node, so that every value and gradient can
                           be read afterwards */
    const int *outputs; /* (output_count) values to keep after forward, besides the last node's */
    int output_count;
    const int *gradients; /* (gradient_count) inputs whose gradients are wanted; none by default */
    int gradient_count;
    /* The buffer from which forward reads parameters and states. For inference it may be
       DV_BUFFER_AVERAGE, if allocated. The default is DV_BUFFER_VALUES. */
    dv_buffer values;
} dv_plan_options;

/* Makes a plan. The first plan also allocates the parameters, and a training plan their gradients.
   If the first plan fails, the parameters stay declared. Fails with DV_EARG if an earlier plan has
   chosen layouts that do not fit, see above. */
dv_status dv_plan_create(dv_context *context, const dv_graph *graph, const dv_plan_options *options,
                         dv_plan **out);
void dv_plan_free(dv_plan *plan);

typedef struct dv_plan_memory {
    size_t arena;   /* bytes allocated, scratch included */
    size_t tensors; /* bytes of all tensors without sharing of places */
    int tensor_count;
    size_t scratch; /* largest scratch of one step, in bytes */
} dv_plan_memory;
dv_plan_memory dv_plan_memory_use(const dv_plan *plan);

/* Copy the whole value or gradient of a node between the device and the host, where it has the
   backend's real type. Without keep_all only inputs and outputs are sure to keep their values. */
dv_status dv_plan_upload(dv_plan *plan, int value, const void *host);
dv_status dv_plan_download(const dv_plan *plan, int value, void *host);
dv_status dv_plan_download_gradient(const dv_plan *plan, int value, void *host);
dv_status dv_plan_upload_gradient(dv_plan *plan, int value, const void *host);

/* Enqueue such a copy from or to pinned memory, without conversion: the host sees the value's own
   type (dv_node.type). For backends that enqueue work; the copies may be recorded. */
dv_status dv_plan_send(dv_plan *plan, int value, const void *pinned);
dv_status dv_plan_fetch(const dv_plan *plan, int value, void *pinned);

/* Enqueues a copy of the value `from` of one plan into an input, of the same shape, of another plan
   of the same context. */
dv_status dv_plan_copy(const dv_plan *plan, int from, dv_plan *other, int input);

/* Device address of a value, or NULL if the value is not kept. If device memory is host memory
   (ref, cpu), the host may write to an input directly. */
void *dv_plan_address(const dv_plan *plan, int value);

/* Device address of the last node's gradient, with which backward begins. NULL if nothing in the
   plan has a gradient. */
void *dv_plan_seed_address(const dv_plan *plan);

dv_status dv_plan_forward(dv_plan *plan, const dv_pass *pass);

/* Runs backward from the last node of the graph, whose gradient is `seed` in every element. The
   last node must be DV_F32. */
dv_status dv_plan_backward(dv_plan *plan, const dv_pass *pass, double seed);

/* The same, but the caller has written the last node's gradient before (dv_plan_upload_gradient,
   dv_plan_seed_address). */
dv_status dv_plan_backward_from(dv_plan *plan, const dv_pass *pass);

/* Mean seconds per forward and backward call of a node since the plan was made, or 0 without a
   call. The first call is skipped if there are others, because libraries may compile kernels in it.
   Absorbed nodes are included. */
void dv_plan_times(const dv_plan *plan, int node, double *forward, double *backward);

/* ---- For dv_impl.plan ---- */

/* Requests memory at step->saved that lives from the node's forward to its backward (in an
   inference plan, for the forward step only). */
void dv_planner_save(dv_planner *planner, size_t bytes);

/* Requests memory at step->scratch for one call of forward or backward, undefined before and after
   it. The largest request of the step counts. */
void dv_planner_scratch(dv_planner *planner, size_t bytes);

/*
 * Requests a layout, whose ownership passes, for trainable parameter i of the node. Returns true if
 * the parameter has this layout now. Returns false if the first plan, or dv_params_allocate before
 * it, has fixed another one (dv_planner_layout); the implementation must then convert.
 */
bool dv_planner_set_layout(dv_planner *planner, int i, dv_layout *layout);

/* The layout of parameter i. NULL is PyTorch's order. */
const dv_layout *dv_planner_layout(const dv_planner *planner, int i);

#endif
