/* What plan.c, plan_arena.c (planning) and run.c (running) share. */
#ifndef DV_CORE_PLAN_INTERNAL_H
#define DV_CORE_PLAN_INTERNAL_H

#include "engine/core/plan.h"

/* A place in the arena, and from when to when it is needed. Moment i is the forward step of node
   i, moment 2 F - 1 - i its backward step, F the number of nodes. */
typedef struct dv_block {
    size_t bytes; /* 0: not needed */
    int first, last;
    size_t offset;
} dv_block;

/* Of one function of one node: what its calls took, the first left out when there are more. */
typedef struct dv_timing {
    double seconds;
    int64_t calls;
} dv_timing;

typedef struct dv_planned {
    dv_node_step step;
    dv_type x_type[DV_MAX_INPUTS]; /* what the step points to */
    dv_dtype w_type[DV_MAX_PARAMS];
    bool backward; /* takes part in the backward pass */
    /* The node whose step computes this value, at this node's turn. -1: nothing runs then, because
       another step computes the value and does not keep it, or it is the value of `same_as`. */
    int computed_by;
    bool idle;             /* the node's own step never runs */
    int same_as;           /* the node whose value this one's is: itself, or an earlier one */
    dv_absorbed *absorbed; /* (step.absorbed_count), owned */
    dv_block value, gradient, saved;
    /* Where an input's gradient is not the first to be written: written here, then added. */
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
    int threads; /* of the host, at most the context's: no more than the steps' work is worth */
    int planned; /* steps whose implementation has planned: to be dropped */
    dv_pass pass;
    char *arena;
    dv_block scratch;
    dv_plan_memory memory;
    void *check; /* host memory for check_finite: the largest tensor */
};

extern const dv_impl dv__input_impl;

/* The node whose value input k of the node is. */
static inline int dv__input(const dv_plan *plan, const dv_node *node, int k)
{
    return plan->steps[node->inputs[k]].same_as;
}

/* The moment behind all others. */
static inline int dv__end_of_time(const dv_plan *plan)
{
    return 2 * plan->count;
}

/* Gives every block its place, and allocates the arena. */
dv_status dv__plan_arena(dv_plan *plan);

/* Gives the calling thread so many threads of the host for steps of the plan; returns those that it
   had before, to be given back. */
int dv__plan_take_threads(const dv_plan *plan, int threads);

/* How the plan's backend computes a node. NULL: it cannot. An input is there, and needs nothing. */
static inline const dv_impl *dv__impl(const dv_plan *plan, const dv_node *node)
{
    return node->op == &dv_op_input ? &dv__input_impl : plan->context->backend->impls[node->op->id];
}

/* In a plan that only infers: finds nodes that are their input, and has steps absorb the nodes
   behind them. */
dv_status dv__plan_absorb(dv_plan *plan, const dv_plan_options *options);

/* Bytes of the node's value, and of its gradient. */
static inline size_t dv__value_bytes(const dv_context *context, const dv_node *node)
{
    return (size_t)dv_shape_count(node->shape) *
           dv_backend_size(context->backend, node->type.dtype);
}

/* DV_EUNSUPPORTED, with the types: the backend computes no such step, or a plan that trains has
   values or operands of a scaled type. */
dv_status dv__check_types(const dv_plan *plan, const dv_node_step *step);

/* Puts operation, layer and shapes in front of the message of a failure. */
dv_status dv__name_failure(const dv_node_step *step, dv_status status);

struct dv_planner {
    dv_plan *plan;
    dv_planned *planned;
    dv_params *params;
    size_t scratch;
};

#endif
