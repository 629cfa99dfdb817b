/* Declarations shared by the planning files (plan.c, plan_arena.c, plan_absorb.c, plan_types.c) and
   run.c. */
#ifndef DV_CORE_PLAN_INTERNAL_H
#define DV_CORE_PLAN_INTERNAL_H

#include "engine/core/plan.h"

/* A place in the arena and its lifetime. With F nodes, moment i is the forward step of node i, and
   moment 2 F - 1 - i its backward step. */
typedef struct dv_block {
    size_t bytes;    /* 0 if the block is not needed */
    int first, last; /* first and last moment of use */
    size_t offset;   /* bytes into the arena */
} dv_block;

/* The time of all calls of one function of one node, except the first call if there are more. */
typedef struct dv_timing {
    double seconds;
    int64_t calls;
} dv_timing;

typedef struct dv_planned {
    dv_node_step step;
    dv_type x_type[DV_MAX_INPUTS];  /* step.x_type points here */
    dv_dtype w_type[DV_MAX_PARAMS]; /* step.w_type points here */
    bool backward;                  /* takes part in the backward pass */
    /* Index of the step that computes this value at this node's turn. -1 if none does: another step
       computes the value without keeping it, or the value is that of `same_as`. */
    int computed_by;
    bool idle;             /* the node's own step never runs */
    int same_as;           /* the node that has this node's value: itself or an earlier one */
    dv_absorbed *absorbed; /* (step.absorbed_count), owned */
    dv_block value, gradient, saved;
    /* An input's gradient that is not the first one is written to `term`, then added. */
    dv_block term[DV_MAX_INPUTS];
    bool adds[DV_MAX_INPUTS];
    dv_timing forward_time, backward_time;
} dv_planned;

struct dv_plan {
    dv_context *context;
    const dv_graph *graph;
    dv_plan_options options; /* without the arrays */
    dv_planned *steps;       /* (count) */
    int count;
    int threads; /* host threads, at most the context's; fewer if the steps have little work */
    int planned; /* number of steps whose implementation has planned and must be dropped */
    dv_pass pass;
    char *arena;
    dv_block scratch;
    dv_plan_memory memory;
    void *check; /* host memory for check_finite, as large as the largest tensor */
};

extern const dv_impl dv__input_impl;

/* The node that has the value of input k of `node`. */
static inline int dv__input(const dv_plan *plan, const dv_node *node, int k)
{
    return plan->steps[node->inputs[k]].same_as;
}

/* The moment after all others. */
static inline int dv__end_of_time(const dv_plan *plan)
{
    return 2 * plan->count;
}

/* Gives every block a place, and allocates the arena. */
dv_status dv__plan_arena(dv_plan *plan);

/* Sets the number of host threads of the calling thread for the plan's steps. Returns the argument
   that restores the previous number. */
int dv__plan_take_threads(const dv_plan *plan, int threads);

/* The backend's implementation of a node, or NULL if it has none. An input has one that does
   nothing. */
static inline const dv_impl *dv__impl(const dv_plan *plan, const dv_node *node)
{
    return node->op == &dv_op_input ? &dv__input_impl : plan->context->backend->impls[node->op->id];
}

/* In an inference plan: finds nodes whose value is their input, and lets steps absorb the nodes
   after them. */
dv_status dv__plan_absorb(dv_plan *plan, const dv_plan_options *options);

/* Bytes of a node's value. Its gradient has as many. */
static inline size_t dv__value_bytes(const dv_context *context, const dv_node *node)
{
    return (size_t)dv_shape_count(node->shape) *
           dv_backend_size(context->backend, node->type.dtype);
}

/* Fails with DV_EUNSUPPORTED if the backend cannot compute the step in its types, or if a training
   plan has values of a scaled type or operands other than the precision's. The message names the
   types. */
dv_status dv__check_types(const dv_plan *plan, const dv_node_step *step);

/* Puts operation, layer and shapes before the message of a failure. */
dv_status dv__name_failure(const dv_node_step *step, dv_status status);

struct dv_planner {
    dv_plan *plan;
    dv_planned *planned;
    dv_params *params;
    size_t scratch;
};

#endif
