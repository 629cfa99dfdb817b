/* What plan.c (planning) and run.c (running) share. */
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

typedef struct dv_planned {
    dv_step step;
    bool backward; /* takes part in the backward pass */
    dv_block value, gradient, saved;
    /* Where an input's gradient is not the first to be written: written here, then added. */
    dv_block term[DV_MAX_INPUTS];
    bool adds[DV_MAX_INPUTS];
    double seconds_forward, seconds_backward;
} dv_planned;

struct dv_plan {
    dv_context *context;
    const dv_graph *graph;
    dv_plan_options options; /* without the arrays */
    dv_planned *steps;       /* (count) */
    int count;
    int planned; /* steps whose implementation has planned: to be dropped */
    dv_run run;
    char *arena;
    dv_block scratch;
    dv_plan_memory memory;
    void *check; /* host memory for check_finite: the largest tensor */
};

/* Bytes of an element of the node's value and of its gradient. */
static inline size_t dv__element_size(const dv_context *context, const dv_node *node)
{
    bool half = context->dtype != DV_F32 && !node->full_precision;
    return half ? dv_dtype_size(context->dtype) : context->backend->real_size;
}

/* Puts operation, layer and shapes in front of the message of a failure. */
dv_status dv__name_failure(const dv_step *step, dv_status status);

struct dv_planner {
    dv_plan *plan;
    dv_planned *planned;
    dv_params *params;
    size_t scratch;
};

#endif
