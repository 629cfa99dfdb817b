/* The rules of self-attention: a sequence whose channels are queries, keys and values, and
   heads that divide each of the three. */
#include "engine/ops/attention/attention.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

#include <inttypes.h>

static const dv_field fields[] = {
    DV_INT(dv_attention_attr, heads, "8", 1, 64, "number of heads, a divisor of the channels"),
    DV_END,
};

static dv_status infer(dv_graph *graph, dv_node *node)
{
    int64_t heads = ((const dv_attention_attr *)node->attr)->heads;
    dv_shape x = dv_node_input(graph, node, 0);
    if (x.h != 1)
        return DV_FAIL(DV_ESHAPE, "attention '%s': %s is not a sequence: height %" PRId64 ", not 1",
                       node->name, dv_shape_format(x).text, x.h);
    if (x.c % 3 != 0)
        return DV_FAIL(DV_ESHAPE,
                       "attention '%s': the %" PRId64 " channels of %s are not queries, keys and "
                       "values: not divisible by 3",
                       node->name, x.c, dv_shape_format(x).text);
    if (heads < 1 || x.c / 3 % heads != 0)
        return DV_FAIL(DV_ESHAPE,
                       "attention '%s': %s has %" PRId64 " channels each for queries, keys and "
                       "values: not divisible by %" PRId64 " heads",
                       node->name, dv_shape_format(x).text, x.c / 3, heads);
    node->shape = (dv_shape){x.n, 1, x.w, x.c / 3};
    return DV_OK;
}

/* The multiply-adds of both products. */
static int64_t macs(const dv_graph *graph, const dv_node *node)
{
    (void)graph;
    return 2 * node->shape.w * dv_shape_count(node->shape);
}

const dv_op dv_op_attention = {
    .id = DV_OP_attention,
    .name = "attention",
    .inputs_min = 1,
    .inputs_max = 1,
    .attr_size = sizeof(dv_attention_attr),
    .fields = fields,
    .help = "self-attention of queries, keys and values that lie side by side: (T, 3 C) -> (T, C)",
    .infer = infer,
    .macs = macs,
    .backward_reads = DV_READS_INPUT(0),
    .write = dv__write_attention,
};
