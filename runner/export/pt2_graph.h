/* The JSON of a .pt2 archive. The functions return NULL if memory runs out. */
#ifndef DV_EXPORT_PT2_GRAPH_H
#define DV_EXPORT_PT2_GRAPH_H

#include "runner/export/aten.h"

#include <jansson.h>

/* A program, and the name of each of its tensors. */
typedef struct dv_pt2_graph {
    const dv_program *program;
    const dv_aten_name *names;
} dv_pt2_graph;

/* ExportedProgram: the graph, the kinds of inputs and outputs, and the ranges of symbols. */
json_t *dv_pt2_program(const dv_pt2_graph *graph);

/* PayloadConfig: the entry and the sizes of each constant. */
json_t *dv_pt2_weights(const dv_pt2_graph *graph);

/* A valid value of a size: the known one, or an example. */
int64_t dv_pt2_example(const dv_program *program, dv_size size);

/* The full name of a function, for example "torch.ops.aten.add.Tensor". */
typedef struct dv_pt2_target {
    char text[96];
} dv_pt2_target;
dv_pt2_target dv_pt2_target_of(const dv_aten_call *call);

/* The prefix of the entries with the bytes of constants, for example "weight_3". */
#define DV_PT2_WEIGHT "weight_"

#endif
