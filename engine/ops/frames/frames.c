/* The rules of frames: the columns of an image become steps, and its rows become channels. */
#include "engine/core/graph.h"
#include "engine/ops/ops.h"
#include "engine/ops/write.h"

static dv_status infer(dv_graph *graph, dv_node *node)
{
    dv_shape x = dv_node_input(graph, node, 0);
    node->shape = (dv_shape){x.n, 1, x.w, x.h * x.c};
    return DV_OK;
}

const dv_op dv_op_frames = {
    .id = DV_OP_frames,
    .name = "frames",
    .inputs_min = 1,
    .inputs_max = 1,
    .help = "a feature image as a sequence of frames, its coefficients as channels",
    .infer = infer,
    .write = dv__write_frames,
};
