/* Makes plans. A plan is made in this order: the nodes of the backward pass, the lifetimes of all
   values, the plans of the implementations, and the addresses of each step. */
#include "engine/core/plan_internal.h"

#include <stdlib.h>
#include <string.h>

static int backward_moment(const dv_plan *plan, int node)
{
    return 2 * plan->count - 1 - node;
}

static size_t tensor_bytes(const dv_plan *plan, int node)
{
    return dv__value_bytes(plan->context, &plan->graph->nodes[node]);
}

/* ---- Nodes of the backward pass ---- */

/* Sets flows[i] if a gradient can flow from node i to a trained parameter or to an input whose
   gradient is wanted. */
static void find_sources(dv_plan *plan, const dv_plan_options *options, bool *flows)
{
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        flows[i] = false;
        for (int k = 0; k < node->param_count; k++)
            flows[i] = flows[i] || !plan->graph->params->items[node->params[k]].frozen;
        for (int k = 0; k < node->input_count; k++)
            flows[i] = flows[i] || flows[node->inputs[k]];
        for (int k = 0; k < options->gradient_count; k++)
            flows[i] = flows[i] || options->gradients[k] == i;
    }
}

/* Finds frozen nodes without parameters (dropout). Such a node belongs to the nodes that read its
   value: it is frozen if no gradient flows out of it and all parameters that read its value next
   are frozen. If a trained parameter or the end reads its value next, it works as in any training.
 */
static dv_status find_frozen(dv_plan *plan, const bool *flows)
{
    bool *serves; /* a trained parameter or the end reads the node's value next */
    DV_TRY(dv_calloc((size_t)plan->count, sizeof *serves, &serves));
    serves[plan->count - 1] = true;
    for (int i = plan->count - 1; i >= 0; i--) {
        const dv_node *node = &plan->graph->nodes[i];
        bool wants = node->param_count == 0 && serves[i];
        for (int k = 0; k < node->param_count; k++)
            wants = wants || !plan->graph->params->items[node->params[k]].frozen;
        for (int k = 0; k < node->input_count; k++)
            serves[node->inputs[k]] = serves[node->inputs[k]] || wants;
        if (node->param_count == 0)
            plan->steps[i].step.frozen = !flows[i] && !serves[i];
    }
    free(serves);
    return DV_OK;
}

/* Finds the nodes of the backward pass: the last node depends on them and a gradient flows out. */
static dv_status find_backward(dv_plan *plan, const dv_plan_options *options)
{
    bool *flows;
    DV_TRY(dv_calloc((size_t)plan->count, sizeof *flows, &flows));
    find_sources(plan, options, flows);
    plan->steps[plan->count - 1].backward = flows[plan->count - 1];
    dv_status status = find_frozen(plan, flows);
    for (int i = plan->count - 1; i >= 0 && status == DV_OK; i--) {
        dv_planned *planned = &plan->steps[i];
        const dv_node *node = planned->step.node;
        if (!planned->backward || node->input_count == 0)
            continue;
        if (dv__impl(plan, node)->backward == NULL)
            status = DV_FAIL(DV_EUNSUPPORTED, "%s '%s' has no gradient on %s", node->op->name,
                             node->name, plan->context->backend->name);
        for (int k = 0; k < node->input_count; k++) {
            planned->step.wants_dx[k] = flows[node->inputs[k]];
            plan->steps[node->inputs[k]].backward |= flows[node->inputs[k]];
        }
    }
    free(flows);
    return status;
}

/* ---- Lifetimes ---- */

static void extend(dv_block *block, int moment)
{
    if (moment > block->last)
        block->last = moment;
    if (moment < block->first)
        block->first = moment;
}

/* Extends the lifetimes of the inputs of a node that is computed at a moment. If another node's
   step computes it, an input may be a value without a place. */
static void extend_inputs(dv_plan *plan, const dv_node *node, int moment)
{
    for (int k = 0; k < node->input_count; k++)
        extend(&plan->steps[dv__input(plan, node, k)].value, moment);
}

/* Sets the lifetimes of values and saved memory. A value lives from the step that computes it to
   the last step that reads it, forward or backward. Saved memory lives until the last value that
   its step computes; plan_steps extends it to the step's backward moment, if there is one. */
static void value_lifetimes(dv_plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        dv_planned *planned = &plan->steps[i];
        const dv_node *node = planned->step.node;
        int birth = node->op == &dv_op_input ? 0 : i; /* uploads come before forward */
        if (planned->computed_by < 0)
            continue;
        planned->value = (dv_block){.bytes = tensor_bytes(plan, i), .first = birth, .last = i};
        unsigned reads = planned->backward ? dv_node_backward_reads(node) : 0;
        if ((reads & DV_READS_OUTPUT) != 0)
            extend(&planned->value, backward_moment(plan, i));
        dv_planned *runs = &plan->steps[planned->computed_by];
        extend_inputs(plan, runs->step.node, i);
        for (int k = 0; k < runs->step.absorbed_count; k++)
            extend_inputs(plan, runs->absorbed[k].node, i);
        for (int k = 0; k < node->input_count; k++) {
            if ((reads & DV_READS_INPUT(k)) != 0)
                extend(&plan->steps[node->inputs[k]].value, backward_moment(plan, i));
        }
        extend(&runs->saved, i);
    }
}

/* Sets the lifetimes of gradients. A gradient lives from the first step that writes it (the last
   user) to the node's own backward step. Other users write a term that is added. */
static void gradient_lifetimes(dv_plan *plan)
{
    for (int i = plan->count - 1; i >= 0; i--) {
        dv_planned *planned = &plan->steps[i];
        if (!planned->backward)
            continue;
        int moment = backward_moment(plan, i);
        if (planned->gradient.bytes == 0) /* the last node */
            planned->gradient = (dv_block){.first = moment, .last = moment};
        planned->gradient.bytes = tensor_bytes(plan, i);
        extend(&planned->gradient, moment);
        for (int k = 0; k < planned->step.node->input_count; k++) {
            if (!planned->step.wants_dx[k])
                continue;
            int input = planned->step.node->inputs[k];
            dv_block *gradient = &plan->steps[input].gradient;
            planned->adds[k] = gradient->bytes > 0;
            dv_block *written = planned->adds[k] ? &planned->term[k] : gradient;
            *written =
                (dv_block){.bytes = tensor_bytes(plan, input), .first = moment, .last = moment};
        }
    }
}

static void keep_outputs(dv_plan *plan, const dv_plan_options *options)
{
    extend(&plan->steps[plan->steps[plan->count - 1].same_as].value, dv__end_of_time(plan));
    for (int k = 0; k < options->output_count; k++)
        extend(&plan->steps[plan->steps[options->outputs[k]].same_as].value, dv__end_of_time(plan));
    for (int k = 0; k < options->gradient_count; k++)
        extend(&plan->steps[options->gradients[k]].gradient, dv__end_of_time(plan));
}

/* ---- Implementations ---- */

void dv_planner_save(dv_planner *planner, size_t bytes)
{
    planner->planned->saved.bytes = bytes;
}

void dv_planner_scratch(dv_planner *planner, size_t bytes)
{
    if (bytes > planner->scratch)
        planner->scratch = bytes;
}

bool dv_planner_set_layout(dv_planner *planner, int i, dv_layout *layout)
{
    dv_params *params = planner->params;
    dv_param *param = &params->items[planner->planned->step.node->params[i]];
    bool scaled = dv_dtype_scaled(param->operand); /* scales belong to rows in PyTorch's order */
    if (!params->allocated && param->layout == NULL && !scaled) {
        param->layout = layout;
        return true;
    }
    bool equal = param->layout != NULL && layout->equal(param->layout, layout);
    layout->drop(layout);
    return equal;
}

const dv_layout *dv_planner_layout(const dv_planner *planner, int i)
{
    return planner->params->items[planner->planned->step.node->params[i]].layout;
}

/* Calls the implementation's plan for each step in the order of the nodes, and collects the saved
   memory and the largest scratch. plan->planned counts the steps to drop. */
static dv_status plan_steps(dv_plan *plan)
{
    dv_planner planner = {.plan = plan, .params = plan->graph->params};
    if (plan->context->backend->enter != NULL)
        DV_TRY(plan->context->backend->enter(plan->context));
    for (int i = 0; i < plan->count; i++) {
        dv_planned *planned = &plan->steps[i];
        const dv_node *node = planned->step.node;
        const dv_impl *impl = dv__impl(plan, node);
        if (planned->idle)
            continue;
        planner.planned = planned;
        dv_status status = impl->plan != NULL ? impl->plan(&planner, &planned->step) : DV_OK;
        if (status != DV_OK) /* a library's message does not name the layer */
            return status == DV_EDEVICE ? dv__name_failure(&planned->step, status) : status;
        plan->planned = i + 1;
        if (planned->backward)
            extend(&planned->saved, backward_moment(plan, i));
    }
    plan->scratch = (dv_block){.bytes = planner.scratch, .first = 0, .last = dv__end_of_time(plan)};
    plan->memory.scratch = planner.scratch;
    return DV_OK;
}

/* Sets the shapes and types that a step knows before it is planned. */
static void begin_step(dv_plan *plan, int i)
{
    dv_planned *planned = &plan->steps[i];
    const dv_node *node = &plan->graph->nodes[i];
    const dv_param *params = plan->graph->params->items;
    dv_node_step *step = &planned->step;
    *step = (dv_node_step){.node = node,
                           .context = plan->context,
                           .pass = &plan->pass,
                           .x_type = planned->x_type,
                           .w_type = planned->w_type};
    for (int k = 0; k < node->input_count; k++) {
        step->in[k] = dv_node_input(plan->graph, node, k);
        planned->x_type[k] = plan->graph->nodes[node->inputs[k]].type;
    }
    for (int k = 0; k < node->param_count; k++)
        planned->w_type[k] = params[node->params[k]].operand;
    if (node->param_count > 0)
        step->frozen = params[node->params[0]].frozen;
    planned->saved = (dv_block){.first = i, .last = i};
    planned->computed_by = planned->same_as = i;
}

static dv_status begin_steps(dv_plan *plan)
{
    DV_TRY(dv_calloc((size_t)plan->count, sizeof *plan->steps, &plan->steps));
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        if (dv__impl(plan, node) == NULL)
            return DV_FAIL(DV_EUNSUPPORTED, "%s '%s' cannot run on %s", node->op->name, node->name,
                           plan->context->backend->name);
        begin_step(plan, i);
        DV_TRY(dv__check_types(plan, &plan->steps[i].step));
    }
    return DV_OK;
}

/* ---- Addresses ---- */

static void *address(const dv_plan *plan, const dv_block *block)
{
    return block->bytes > 0 ? plan->arena + block->offset : NULL;
}

static const void *value_address(const dv_plan *plan, const dv_node *node, int k)
{
    return address(plan, &plan->steps[dv__input(plan, node, k)].value);
}

static void bind_absorbed(const dv_plan *plan, dv_absorbed *absorbed)
{
    const dv_node *node = absorbed->node;
    const dv_params *params = plan->graph->params;
    dv_buffer values = plan->options.values;
    for (int k = 0; k < node->input_count; k++)
        absorbed->x[k] = value_address(plan, node, k);
    for (int k = 0; k < node->param_count; k++)
        absorbed->w[k] = dv_params_address(params, node->params[k], values);
    for (int k = 0; k < node->state_count; k++)
        absorbed->state[k] = dv_params_address(params, node->states[k], values);
}

/* Binds the output of the step that runs at node i's moment. */
static void bind_runs(dv_plan *plan, int i)
{
    if (plan->steps[i].computed_by < 0)
        return;
    dv_planned *runs = &plan->steps[plan->steps[i].computed_by];
    runs->step.y = address(plan, &plan->steps[i].value);
    for (int k = 0; k < runs->step.absorbed_count; k++)
        bind_absorbed(plan, &runs->absorbed[k]);
}

/* Sets all addresses of a step except the output, which bind_runs sets: inputs, gradients,
   parameters, states, saved memory and scratch. */
static void bind_step(dv_plan *plan, dv_planned *planned)
{
    dv_node_step *step = &planned->step;
    const dv_params *params = plan->graph->params;
    dv_buffer values = plan->options.values;
    step->dy = address(plan, &planned->gradient);
    step->saved = address(plan, &planned->saved);
    step->scratch = address(plan, &plan->scratch);
    for (int k = 0; k < step->node->input_count; k++) {
        const dv_planned *input = &plan->steps[step->node->inputs[k]];
        step->x[k] = value_address(plan, step->node, k);
        if (step->wants_dx[k])
            step->dx[k] = address(plan, planned->adds[k] ? &planned->term[k] : &input->gradient);
    }
    for (int k = 0; k < step->node->param_count; k++) {
        step->w[k] = dv_params_address(params, step->node->params[k], values);
        step->w_operand[k] = dv_params_operand(params, step->node->params[k], values);
        step->w_scales[k] = dv_params_scales(params, step->node->params[k], values);
        step->dw[k] = dv_params_address(params, step->node->params[k], DV_BUFFER_GRADIENTS);
    }
    for (int k = 0; k < step->node->state_count; k++)
        step->state[k] = dv_params_address(params, step->node->states[k], values);
}

static dv_status allocate_check(dv_plan *plan)
{
    size_t largest = 0;
    for (int i = 0; i < plan->count; i++) {
        size_t bytes =
            (size_t)dv_shape_count(plan->graph->nodes[i].shape) * plan->context->backend->real_size;
        largest = bytes > largest ? bytes : largest;
        for (int k = 0; k < plan->steps[i].step.node->param_count; k++) {
            int param = plan->steps[i].step.node->params[k];
            bytes =
                (size_t)plan->graph->params->items[param].count * plan->context->backend->real_size;
            largest = bytes > largest ? bytes : largest;
        }
    }
    return dv_calloc(largest, 1, &plan->check);
}

/* ---- Threads ---- */

static int threads_for(const dv_plan *plan)
{
    int most = plan->context->threads;
    int64_t macs = plan->context->backend->thread_macs, steps = 0;
    if (plan->options.training || macs == 0)
        return most;
    for (int i = 0; i < plan->count; i++)
        steps += plan->steps[i].computed_by >= 0 && plan->graph->nodes[i].input_count > 0 ? 1 : 0;
    int64_t worth = steps > 0 ? dv_graph_macs(plan->graph) / (steps * macs) : 0;
    return worth >= most ? most : worth > 1 ? (int)worth : 1;
}

int dv__plan_take_threads(const dv_plan *plan, int threads)
{
    const dv_backend *backend = plan->context->backend;
    return backend->take_threads != NULL ? backend->take_threads(threads) : threads;
}

/* ---- The whole plan ---- */

/* Refuses a later plan with needs that the first plan did not know when it chose the layouts. */
static dv_status check_param(const dv_param *param, bool training)
{
    if (!param->planned)
        return DV_FAIL(
            DV_EARG,
            "parameter '%s' comes too late: it is not in the first plan of these parameters",
            param->name);
    if (training)
        return DV_FAIL(
            DV_EARG,
            "a plan that trains '%s' comes too late: it must be the first plan of these parameters",
            param->name);
    return DV_OK;
}

/* Calls check_param for the parameters of all nodes. */
static dv_status check_params(const dv_plan *plan)
{
    const dv_params *params = plan->graph->params;
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        for (int k = 0; k < node->param_count; k++)
            DV_TRY(check_param(&params->items[node->params[k]], plan->options.training));
    }
    return DV_OK;
}

static void mark_params(const dv_plan *plan)
{
    dv_params *params = plan->graph->params;
    params->planned = true;
    for (int i = 0; i < plan->count; i++) {
        const dv_node *node = &plan->graph->nodes[i];
        for (int k = 0; k < node->param_count; k++)
            params->items[node->params[k]].planned = true;
    }
}

/* Makes the parts of a plan in the order of their needs: the backward pass, absorbed nodes,
   lifetimes, implementations, the buffers of the parameters, the arena, and addresses. */
static dv_status make(dv_plan *plan, const dv_plan_options *options)
{
    if (plan->graph->params->planned)
        DV_TRY(check_params(plan));
    DV_TRY(begin_steps(plan));
    if (options->training)
        DV_TRY(find_backward(plan, options));
    for (int i = 0; i < plan->count; i++)
        plan->steps[i].step.training = plan->steps[i].backward;
    if (!options->training && !options->keep_all)
        DV_TRY(dv__plan_absorb(plan, options));
    value_lifetimes(plan);
    gradient_lifetimes(plan);
    keep_outputs(plan, options);
    plan->threads = threads_for(plan);
    int before = dv__plan_take_threads(plan, plan->threads); /* primitives depend on it */
    dv_status planned = plan_steps(plan);
    dv__plan_take_threads(plan, before);
    DV_TRY(planned);
    dv_params *params = plan->graph->params;
    DV_TRY(dv_params_allocate(params));
    if (options->training)
        DV_TRY(dv_params_allocate_buffer(params, DV_BUFFER_GRADIENTS));
    DV_TRY(dv__plan_arena(plan));
    for (int i = 0; i < plan->count; i++) {
        bind_step(plan, &plan->steps[i]);
        bind_runs(plan, i);
    }
    return options->check_finite ? allocate_check(plan) : DV_OK;
}

/* Keeps the options without their arrays, which may not outlive the call, and makes the plan. A
   failure frees all of its parts. */
dv_status dv_plan_create(dv_context *context, const dv_graph *graph, const dv_plan_options *options,
                         dv_plan **out)
{
    *out = NULL;
    if (graph->count == 0)
        return DV_FAIL(DV_EARG, "an empty graph cannot be planned");
    dv_plan *plan;
    bool allocated = graph->params->allocated;
    DV_TRY(dv_calloc(1, sizeof *plan, &plan));
    plan->context = context;
    plan->graph = graph;
    plan->count = graph->count;
    plan->options = *options;
    plan->options.outputs = plan->options.gradients = NULL;
    dv_status status = make(plan, options);
    if (status != DV_OK) {
        dv_plan_free(plan);
        if (!allocated)
            dv_params_release(graph->params);
        return status;
    }
    if (!graph->params->planned)
        mark_params(plan);
    *out = plan;
    return DV_OK;
}

void dv_plan_free(dv_plan *plan)
{
    if (plan == NULL)
        return;
    const dv_backend *backend = plan->context->backend;
    for (int i = 0; i < plan->planned; i++) {
        dv_node_step *step = &plan->steps[i].step;
        const dv_impl *impl = dv__impl(plan, step->node);
        if (!plan->steps[i].idle && impl->drop != NULL)
            impl->drop(step);
    }
    for (int i = 0; plan->steps != NULL && i < plan->count; i++)
        free(plan->steps[i].absorbed);
    if (plan->arena != NULL)
        backend->release(plan->context, plan->arena);
    free(plan->check);
    free(plan->steps);
    free(plan);
}

dv_plan_memory dv_plan_memory_use(const dv_plan *plan)
{
    return plan->memory;
}
