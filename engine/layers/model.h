/*
 * From a list of layers to a graph:
 *
 *     model:
 *       name: advanced
 *       layers:
 *         - conv2d: {filters: 64, kernel: 7, stride: 2, bias: false}
 *         - batchnorm: {activation: relu}
 *         - global_avgpool:
 *         - linear: {units: classes, name: head}
 *
 * Every layer may carry a `name`; without one it is called after its kind and number, `conv2d_1`.
 * The word `classes` stands for the number of labels.
 */
#ifndef DV_LAYERS_MODEL_H
#define DV_LAYERS_MODEL_H

#include "engine/layers/layer.h"

/*
 * Appends the model's layers to `graph` behind `input` (N,H,W,1). *logits (N,1,1,classes).
 * DV_ECONFIG, DV_ESHAPE: file, line, layer and shapes.
 */
dv_status dv_model_build(dv_graph *graph, const dv_tree *model, int input, int64_t classes,
                         int *logits);

/* The same, with "<prefix>." before the names of all layers. */
dv_status dv_model_build_member(dv_graph *graph, const char *prefix, const dv_tree *model,
                                int input, int64_t classes, int *logits);

/* Name, fields and help of layer `index`, for help texts; false behind the last. */
typedef struct dv_layer_info {
    const char *name, *help;
    const dv_field *fields;
} dv_layer_info;
bool dv_layer_at(int index, dv_layer_info *info);

#endif
