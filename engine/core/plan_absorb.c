/*
 * The first part of an inference plan. Nodes whose value is their input vanish, and steps absorb
 * the next nodes as far as the backend can (dv_impl.absorb). A chain of absorbed nodes becomes the
 * step of its first node, which runs at the moment of its last.
 */
#include "engine/core/plan_internal.h"

#include <stdlib.h>

/* The largest number of nodes that a step absorbs. After a convolution there may be a norm, a sum
   and an activation. */
enum { MAX_ABSORBED = 4 };

/* The users of a value: nodes that are computed. */
typedef struct usage {
    int count;
    int node, input; /* the last user */
    bool output;     /* it is an output of the plan */
} usage;

/* Finds nodes that have the value of their input: they only work in training, and both have one
   type. */
static void find_same(dv_plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        if (!node->op->training_only)
            continue;
        int source = dv__input(plan, node, 0);
        if (!dv_type_equal(node->type, plan->graph->nodes[source].type))
            continue;
        plan->steps[i].same_as = source;
        plan->steps[i].computed_by = -1;
        plan->steps[i].idle = true;
    }
}

static void find_uses(const dv_plan *plan, const dv_plan_options *options, usage *uses)
{
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        for (int k = 0; !plan->steps[i].idle && k < node->input_count; k++) {
            usage *of = &uses[dv__input(plan, node, k)];
            *of = (usage){.count = of->count + 1, .node = i, .input = k};
        }
    }
    uses[plan->steps[plan->count - 1].same_as].output = true;
    for (int k = 0; k < options->output_count; k++)
        uses[plan->steps[options->outputs[k]].same_as].output = true;
}

/* Lets the step of node `first` absorb the nodes after it one by one, as far as it can. */
static dv_status absorb(dv_plan *plan, const usage *uses, int first)
{
    dv_planned *planned = &plan->steps[first];
    dv_planner planner = {.plan = plan, .planned = planned, .params = plan->graph->params};
    const dv_impl *impl = dv__impl(plan, planned->step.node);
    for (int last = first; planned->step.absorbed_count < MAX_ABSORBED;) {
        const usage *use = &uses[last];
        const dv_node *next = &plan->graph->nodes[use->node];
        if (use->count != 1 || use->output || plan->steps[use->node].idle ||
            !impl->absorb(&planner, &planned->step, next, use->input))
            break;
        if (planned->absorbed == NULL)
            DV_TRY(dv_calloc(MAX_ABSORBED, sizeof *planned->absorbed, &planned->absorbed));
        planned->absorbed[planned->step.absorbed_count++].node = next;
        planned->step.absorbed = planned->absorbed;
        plan->steps[last].computed_by = -1;
        last = use->node;
        plan->steps[last].idle = true;
        plan->steps[last].computed_by = first;
    }
    return DV_OK;
}

dv_status dv__plan_absorb(dv_plan *plan, const dv_plan_options *options)
{
    usage *uses;
    dv_status status = DV_OK;
    DV_TRY(dv_calloc((size_t)plan->count, sizeof *uses, &uses));
    find_same(plan);
    find_uses(plan, options, uses);
    for (int i = 0; i < plan->count && status == DV_OK; i++) {
        const dv_impl *impl = dv__impl(plan, &plan->graph->nodes[i]);
        if (!plan->steps[i].idle && impl->absorb != NULL)
            status = absorb(plan, uses, i);
    }
    free(uses);
    return status;
}
