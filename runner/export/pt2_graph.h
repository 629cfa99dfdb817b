/* The JSON of a .pt2 archive, as jansson has it: NULL where memory was short. */
#ifndef DV_EXPORT_PT2_GRAPH_H
#define DV_EXPORT_PT2_GRAPH_H

#include "runner/export/aten.h"

#include <jansson.h>

/* A program, and the name of each of its tensors. */
typedef struct dv_pt2_graph {
    const dv_program *program;
    const dv_aten_name *names;
} dv_pt2_graph;

/* ExportedProgram: the graph, what its inputs and outputs are, and the ranges of its symbols. */
json_t *dv_pt2_program(const dv_pt2_graph *graph);

/* PayloadConfig: in which entry each constant is, and its sizes. */
json_t *dv_pt2_weights(const dv_pt2_graph *graph);

/* A size that the model takes: what is known, or an example. */
int64_t dv_pt2_example(const dv_program *program, dv_size size);

/* "torch.ops.aten.add.Tensor" */
typedef struct dv_pt2_target {
    char text[96];
} dv_pt2_target;
dv_pt2_target dv_pt2_target_of(const dv_aten_call *call);

/* What the entry with a constant's bytes is called before its number: "weight_3". */
#define DV_PT2_WEIGHT "weight_"

#endif
