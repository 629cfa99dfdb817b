/* The rules of concatenation: the inputs may only differ in their channels. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape first = dv_node_input(graph, node, 0);
    node->shape = first;
    for (int i = 1; i < node->input_count; i++) {
        dv_shape other = dv_node_input(graph, node, i);
        if (other.n != first.n || other.h != first.h || other.w != first.w)
            return DV_FAIL(DV_ESHAPE,
                           "concat '%s': input %d has shape %s, input 0 has %s: all but the "
                           "channels must agree",
                           node->name, i, dv_shape_format(other).text, dv_shape_format(first).text);
        node->shape.c += other.c;
    }
    return DV_OK;
}

const dv_op dv_op_concat = {
    .id = DV_OP_concat,
    .name = "concat",
    .inputs_min = 2,
    .inputs_max = DV_MAX_INPUTS,
    .help = "the channels of all inputs, one after the other",
    .infer = infer,
    .write = dv__write_concat,
};
