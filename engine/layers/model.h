/*
 * Builds a graph from a list of layers:
 *
 *     model:
 *       name: advanced
 *       layers:
 *         - conv2d: {filters: 64, kernel: 7, stride: 2, bias: false}
 *         - batchnorm: {activation: relu}
 *         - global_avgpool:
 *         - linear: {units: classes, name: head}
 *
 * A layer may have a `name`. The default is its kind and number, such as `conv2d_1`. The word
 * `classes` stands for the number of labels.
 */
#ifndef DV_LAYERS_MODEL_H
#define DV_LAYERS_MODEL_H

#include "engine/layers/layer.h"

/*
 * Appends the model's layers to `graph` behind `input` (N,H,W,1). *logits is (N,1,1,classes). The
 * messages of DV_ECONFIG and DV_ESHAPE name file, line, layer and shapes.
 */
dv_status dv_model_build(dv_graph *graph, const dv_tree *model, int input, int64_t classes,
                         int *logits);

/* The same, but the names of all layers begin with "<prefix>.". */
dv_status dv_model_build_member(dv_graph *graph, const char *prefix, const dv_tree *model,
                                int input, int64_t classes, int *logits);

typedef struct dv_layer_info {
    const char *name, *help;
    const dv_field *fields;
} dv_layer_info;

/* Describes layer `index`, for help texts. Returns false if there are not so many. */
bool dv_layer_at(int index, dv_layer_info *info);

#endif
