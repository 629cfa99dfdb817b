/* Checks whether the backend computes a step in the types of its values and operands. */
#include "engine/core/plan_internal.h"

#include <stdio.h>

/* Whether all values have one type of the backend's `values`, except those that the operation has
   in DV_F32, and no operand is scaled. */
static bool is_usual(const dv_plan *plan, const dv_node_step *step)
{
    const dv_node *node = step->node;
    dv_type values = node->type;
    for (int k = node->input_count - 1; k >= 0; k--) {
        if (!dv_op_full_input(node->op, k))
            values = step->x_type[k];
    }
    bool usual = dv_backend_has(plan->context->backend, values.dtype) &&
                 (node->op->full_output || dv_type_equal(node->type, values));
    for (int k = 0; k < node->param_count; k++)
        usual = usual && !dv_dtype_scaled(step->w_type[k]);
    return usual;
}

/* Whether the step can be trained. Scaled types have no gradients, and an update rounds only to the
   precision's operands. */
static bool is_trainable(const dv_plan *plan, const dv_node_step *step)
{
    dv_dtype operands = plan->graph->params->precision.operands;
    bool trainable = !dv_dtype_scaled(step->node->type.dtype);
    for (int k = 0; k < step->node->input_count; k++)
        trainable = trainable && !dv_dtype_scaled(step->x_type[k].dtype);
    for (int k = 0; k < step->node->param_count; k++)
        trainable = trainable && (step->w_type[k] == DV_F32 || step->w_type[k] == operands);
    return trainable;
}

/* Writes the types for messages: "int8 -> fp32, weights in int8". */
static void describe(const dv_node_step *step, char *text, size_t size)
{
    const dv_node *node = step->node;
    const char *from = node->input_count > 0 ? dv_dtype_name(step->x_type[0].dtype) : "nothing";
    int length = snprintf(text, size, "%s -> %s", from, dv_dtype_name(node->type.dtype));
    if (node->param_count > 0)
        snprintf(text + length, size - (size_t)length, ", weights in %s",
                 dv_dtype_name(step->w_type[0]));
}

dv_status dv__check_types(const dv_plan *plan, const dv_node_step *step)
{
    const dv_node *node = step->node;
    const dv_impl *impl = dv__impl(plan, node);
    char types[96];
    if (node->op == &dv_op_input)
        return DV_OK;
    describe(step, types, sizeof types);
    if (plan->options.training && !is_trainable(plan, step))
        return DV_FAIL(DV_EUNSUPPORTED, "%s '%s' cannot be trained in these types: %s",
                       node->op->name, node->name, types);
    if (is_usual(plan, step) || (impl->computes != NULL && impl->computes(step)))
        return DV_OK;
    return DV_FAIL(DV_EUNSUPPORTED, "%s '%s' is not computed on %s in these types: %s",
                   node->op->name, node->name, plan->context->backend->name, types);
}
