/* Runs a plan: walks over the array of steps. */
#include "engine/base/clock.h"
#include "engine/base/convert.h"
#include "engine/core/plan_internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- Copies of values from and to the host ---- */

static size_t value_bytes(const dv_plan *plan, int value)
{
    return plan->steps[plan->steps[value].same_as].value.bytes;
}

static dv_status require_kept(const dv_plan *plan, int value)
{
    if (value_bytes(plan, value) > 0)
        return DV_OK;
    return DV_FAIL(DV_EARG,
                   "'%s' has no memory of its own in this plan: it was fused into the next "
                   "operation; plan with keep_all to read it",
                   plan->graph->nodes[value].name);
}

void *dv_plan_address(const dv_plan *plan, int value)
{
    const dv_block *block = &plan->steps[plan->steps[value].same_as].value;
    return block->bytes > 0 ? plan->arena + block->offset : NULL;
}

/* Converts between DV_F32 and the value's type on the host. */
static void convert(const dv_plan *plan, int value, bool to_value, const void *source, void *into)
{
    const dv_node *node = &plan->graph->nodes[value];
    dv_type full = {.dtype = DV_F32};
    dv_conversion conversion = {.source = source,
                                .into = into,
                                .count = dv_shape_count(node->shape),
                                .from = to_value ? full : node->type,
                                .to = to_value ? node->type : full};
    dv_convert(&conversion, plan->context->backend->real_size);
}

static dv_status upload(const dv_plan *plan, int value, void *device, const void *host)
{
    const dv_backend *backend = plan->context->backend;
    size_t bytes = value_bytes(plan, value);
    if (plan->graph->nodes[value].type.dtype == DV_F32)
        return backend->upload(plan->context, device, host, bytes);
    void *converted;
    DV_TRY(dv_calloc(bytes, 1, &converted));
    convert(plan, value, true, host, converted);
    dv_status status = backend->upload(plan->context, device, converted, bytes);
    free(converted);
    return status;
}

static dv_status download(const dv_plan *plan, int value, const void *device, void *host)
{
    const dv_backend *backend = plan->context->backend;
    size_t bytes = value_bytes(plan, value);
    if (plan->graph->nodes[value].type.dtype == DV_F32)
        return backend->download(plan->context, host, device, bytes);
    void *downloaded;
    DV_TRY(dv_calloc(bytes, 1, &downloaded));
    dv_status status = backend->download(plan->context, downloaded, device, bytes);
    if (status == DV_OK)
        convert(plan, value, false, downloaded, host);
    free(downloaded);
    return status;
}

dv_status dv_plan_upload(dv_plan *plan, int value, const void *host)
{
    DV_TRY(require_kept(plan, value));
    return upload(plan, value, dv_plan_address(plan, value), host);
}

dv_status dv_plan_download(const dv_plan *plan, int value, void *host)
{
    DV_TRY(require_kept(plan, value));
    return download(plan, value, dv_plan_address(plan, value), host);
}

dv_status dv_plan_send(dv_plan *plan, int value, const void *pinned)
{
    DV_TRY(require_kept(plan, value));
    return plan->context->backend->send(plan->context, dv_plan_address(plan, value), pinned,
                                        value_bytes(plan, value));
}

dv_status dv_plan_fetch(const dv_plan *plan, int value, void *pinned)
{
    DV_TRY(require_kept(plan, value));
    return plan->context->backend->fetch(plan->context, pinned, dv_plan_address(plan, value),
                                         value_bytes(plan, value));
}

dv_status dv_plan_copy(const dv_plan *plan, int from, dv_plan *other, int input)
{
    DV_TRY(require_kept(plan, from));
    DV_TRY(require_kept(other, input));
    DV_ASSERT(plan->context == other->context);
    DV_ASSERT(value_bytes(plan, from) == value_bytes(other, input));
    DV_ASSERT(dv_type_equal(plan->graph->nodes[from].type, other->graph->nodes[input].type));
    return plan->context->backend->copy(plan->context, dv_plan_address(other, input),
                                        dv_plan_address(plan, from), value_bytes(plan, from));
}

/* The address of a value's gradient. NULL if the backward pass does not compute it. */
static void *gradient_address(const dv_plan *plan, int value)
{
    const dv_block *block = &plan->steps[value].gradient;
    return block->bytes > 0 ? plan->arena + block->offset : NULL;
}

dv_status dv_plan_download_gradient(const dv_plan *plan, int value, void *host)
{
    const void *gradient = gradient_address(plan, value);
    if (gradient == NULL)
        return DV_FAIL(DV_EARG, "'%s' has no gradient in this plan",
                       plan->graph->nodes[value].name);
    return download(plan, value, gradient, host);
}

dv_status dv_plan_upload_gradient(dv_plan *plan, int value, const void *host)
{
    void *gradient = gradient_address(plan, value);
    if (gradient == NULL)
        return DV_FAIL(DV_EARG, "'%s' has no gradient in this plan",
                       plan->graph->nodes[value].name);
    return upload(plan, value, gradient, host);
}

/* ---- check_finite ---- */

static int64_t first_not_finite(const void *values, int64_t count, size_t real_size)
{
    for (int64_t i = 0; i < count; i++) {
        double value = real_size == sizeof(double) ? ((const double *)values)[i]
                                                   : (double)((const float *)values)[i];
        if (!isfinite(value))
            return i;
    }
    return -1;
}

static dv_status check(const dv_plan *plan, const char *what, const char *name, int64_t count)
{
    int64_t i = first_not_finite(plan->check, count, plan->context->backend->real_size);
    if (i < 0)
        return DV_OK;
    return DV_FAIL(DV_ENUMERIC,
                   "step %llu: %s of '%s' is not finite, first at element %lld of %lld",
                   (unsigned long long)plan->pass.step, what, name, (long long)i, (long long)count);
}

static dv_status check_forward(dv_plan *plan, int i)
{
    const dv_node *node = &plan->graph->nodes[i];
    DV_TRY(dv_plan_download(plan, i, plan->check));
    return check(plan, "the output", node->name, dv_shape_count(node->shape));
}

static dv_status check_backward(dv_plan *plan, int i)
{
    const dv_node_step *step = &plan->steps[i].step;
    const dv_params *params = plan->graph->params;
    for (int k = 0; k < step->node->param_count; k++) {
        int index = step->node->params[k];
        DV_TRY(dv_params_read(params, index, DV_BUFFER_GRADIENTS, plan->check));
        DV_TRY(check(plan, "the gradient", params->items[index].name, params->items[index].count));
    }
    for (int k = 0; k < step->node->input_count; k++) {
        if (!step->wants_dx[k])
            continue;
        int input = step->node->inputs[k];
        DV_TRY(dv_plan_download_gradient(plan, input, plan->check));
        DV_TRY(check(plan, "the gradient", plan->graph->nodes[input].name,
                     dv_shape_count(step->in[k])));
    }
    return DV_OK;
}

/* ---- Forward and backward ---- */

dv_status dv__name_failure(const dv_node_step *step, dv_status status)
{
    if (status == DV_ENUMERIC)
        return status;
    return dv_fail_within(status, "%s '%s', %s -> %s", step->node->op->name, step->node->name,
                          dv_shape_format(step->in[0]).text,
                          dv_shape_format(step->node->shape).text);
}

/* Adds the time of a call. The first call counts only while there is no other, because libraries
   may compile kernels in it. */
static void add_time(dv_timing *timing, double seconds)
{
    timing->seconds = timing->calls == 1 ? seconds : timing->seconds + seconds;
    timing->calls++;
}

static double mean_time(const dv_timing *timing)
{
    return timing->calls > 1 ? timing->seconds / (double)(timing->calls - 1) : timing->seconds;
}

/* Runs a step and measures its work, not only the time of enqueuing it. */
static dv_status run_step(dv_plan *plan, int i, dv_status (*function)(dv_plan *, int),
                          dv_timing *timing)
{
    if (!plan->options.time_layers)
        return function(plan, i);
    const dv_backend *backend = plan->context->backend;
    double start = dv_clock();
    DV_TRY(function(plan, i));
    if (backend->wait != NULL)
        DV_TRY(backend->wait(plan->context));
    add_time(timing, dv_clock() - start);
    return DV_OK;
}

static dv_status forward_input(dv_node_step *step)
{
    (void)step;
    return DV_OK;
}

const dv_impl dv__input_impl = {.forward = forward_input};

static dv_status forward_step(dv_plan *plan, int i)
{
    dv_node_step *step = &plan->steps[plan->steps[i].computed_by].step;
    DV_TRY(dv__impl(plan, step->node)->forward(step));
    return plan->options.check_finite ? check_forward(plan, i) : DV_OK;
}

static dv_status forward_steps(dv_plan *plan)
{
    for (int i = 0; i < plan->count; i++) {
        if (plan->steps[i].computed_by < 0)
            continue;
        dv_planned *planned = &plan->steps[plan->steps[i].computed_by];
        dv_status status = run_step(plan, i, forward_step, &planned->forward_time);
        if (status != DV_OK)
            return dv__name_failure(&planned->step, status);
    }
    return DV_OK;
}

dv_status dv_plan_forward(dv_plan *plan, const dv_pass *pass)
{
    if (pass->training && !plan->options.training && !plan->options.keep_all)
        return DV_FAIL(DV_EARG,
                       "this plan was made for inference; make one with options.training to train");
    plan->pass = *pass;
    int before = dv__plan_take_threads(plan, plan->threads);
    dv_status status = forward_steps(plan);
    dv__plan_take_threads(plan, before);
    return status;
}

static dv_status backward_step(dv_plan *plan, int i)
{
    dv_planned *planned = &plan->steps[i];
    dv_node_step *step = &planned->step;
    const dv_backend *backend = plan->context->backend;
    DV_TRY(dv__impl(plan, step->node)->backward(step));
    for (int k = 0; k < step->node->input_count; k++) {
        if (planned->adds[k])
            DV_TRY(backend->accumulate(plan->context, step->x_type[k].dtype,
                                       gradient_address(plan, step->node->inputs[k]), step->dx[k],
                                       dv_shape_count(step->in[k])));
    }
    return plan->options.check_finite ? check_backward(plan, i) : DV_OK;
}

static dv_status backward_steps(dv_plan *plan)
{
    for (int i = plan->count - 1; i >= 0; i--) {
        dv_planned *planned = &plan->steps[i];
        if (!planned->backward || planned->step.node->input_count == 0)
            continue;
        dv_status status = run_step(plan, i, backward_step, &planned->backward_time);
        if (status != DV_OK)
            return dv__name_failure(&planned->step, status);
    }
    return DV_OK;
}

dv_status dv_plan_backward_from(dv_plan *plan, const dv_pass *pass)
{
    DV_ASSERT(plan->options.training);
    plan->pass = *pass;
    int before = dv__plan_take_threads(plan, plan->threads);
    dv_status status = backward_steps(plan);
    dv__plan_take_threads(plan, before);
    return status;
}

void *dv_plan_seed_address(const dv_plan *plan)
{
    return gradient_address(plan, plan->count - 1);
}

dv_status dv_plan_backward(dv_plan *plan, const dv_pass *pass, double seed)
{
    int last = plan->count - 1;
    void *gradient = dv_plan_seed_address(plan);
    if (gradient == NULL)
        return DV_FAIL(DV_EARG, "nothing in this plan has a gradient");
    dv_dtype dtype = plan->graph->nodes[last].type.dtype;
    if (dtype != DV_F32)
        return DV_FAIL(DV_EARG, "'%s' ends the graph in %s: its gradient must be given",
                       plan->graph->nodes[last].name, dv_dtype_name(dtype));
    DV_TRY(plan->context->backend->fill(plan->context, gradient, seed,
                                        dv_shape_count(plan->graph->nodes[last].shape)));
    return dv_plan_backward_from(plan, pass);
}

void dv_plan_times(const dv_plan *plan, int node, double *forward, double *backward)
{
    *forward = mean_time(&plan->steps[node].forward_time);
    *backward = mean_time(&plan->steps[node].backward_time);
}
