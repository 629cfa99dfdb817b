/* The rules of cross-entropy: the smoothing, logits and targets of one shape, and a loss for each
   sample. */
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"
#include "engine/ops/ops.h"

#include "engine/core/graph.h"

static const dv_field fields[] = {
    DV_FLOAT(dv_softmax_cross_entropy_attr, smoothing, "0", 0, 0.99,
             "share of the target that is spread over all classes"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    const dv_softmax_cross_entropy_attr *attr = node->attr;
    if (!(attr->smoothing >= 0 && attr->smoothing < 1))
        return DV_FAIL(DV_EARG,
                       "softmax_cross_entropy '%s': smoothing is %g, must be at least 0 and below "
                       "1",
                       node->name, attr->smoothing);
    dv_shape logits = dv_node_input(graph, node, 0), targets = dv_node_input(graph, node, 1);
    if (logits.h != 1 || logits.w != 1 || !dv_shape_equal(logits, targets))
        return DV_FAIL(DV_ESHAPE,
                       "softmax_cross_entropy '%s': logits have shape %s, targets %s: both must be "
                       "(samples, 1, 1, classes)",
                       node->name, dv_shape_format(logits).text, dv_shape_format(targets).text);
    node->shape = (dv_shape){logits.n, 1, 1, 1};
    return DV_OK;
}

const dv_op dv_op_softmax_cross_entropy = {
    .id = DV_OP_softmax_cross_entropy,
    .name = "softmax_cross_entropy",
    .inputs_min = 2,
    .inputs_max = 2,
    .attr_size = sizeof(dv_softmax_cross_entropy_attr),
    .fields = fields,
    .help = "cross-entropy of the softmax of logits against target distributions, per sample",
    .infer = infer,
    .backward_reads = DV_READS_INPUT(0) | DV_READS_INPUT(1),
    .full_inputs = DV_READS_INPUT(1),
    .full_output = true,
};
