/* The rules of distillation: its attributes, and the shapes of losses, logits and targets. */
#include "engine/ops/distillation/distillation.h"
#include "engine/ops/ops.h"

#include "engine/core/graph.h"

static const dv_field fields[] = {
    DV_FLOAT(dv_distillation_attr, weight, "0.5", 0.001, 1,
             "share of the loss that comes from the teacher"),
    DV_FLOAT(dv_distillation_attr, temperature, "2", 0.1, 100,
             "temperature that divides the logits of teacher and student"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape loss = dv_node_input(graph, node, 0), logits = dv_node_input(graph, node, 1);
    dv_shape expected = {logits.n, 1, 1, 1};
    if (logits.h != 1 || logits.w != 1 || !dv_shape_equal(loss, expected))
        return DV_FAIL(DV_ESHAPE,
                       "distillation '%s': losses have shape %s, logits %s: they must be (samples, "
                       "1, 1, 1) and (samples, 1, 1, classes)",
                       node->name, dv_shape_format(loss).text, dv_shape_format(logits).text);
    for (int i = 2; i < node->input_count; i++) {
        dv_shape other = dv_node_input(graph, node, i);
        if (!dv_shape_equal(other, logits))
            return DV_FAIL(DV_ESHAPE, "distillation '%s': logits have shape %s, input %d has %s",
                           node->name, dv_shape_format(logits).text, i,
                           dv_shape_format(other).text);
    }
    node->shape = loss;
    return DV_OK;
}

const dv_op dv_op_distillation = {
    .id = DV_OP_distillation,
    .name = "distillation",
    .inputs_min = 4,
    .inputs_max = 4,
    .attr_size = sizeof(dv_distillation_attr),
    .fields = fields,
    .help = "a loss of which a share is how far logits are from those of a teacher, per sample",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(1) | DV_READS_INPUT(2) | DV_READS_INPUT(3),
    .full_inputs = DV_READS_INPUT(0) | DV_READS_INPUT(3),
    .full_output = true,
};
