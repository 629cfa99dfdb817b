/*
 * Layers: the items of a model's configuration. Every operation with one input is a layer of the
 * same name and fields. The composites of layers.def build several nodes, so their gradients need
 * no code.
 */
#ifndef DV_LAYERS_LAYER_H
#define DV_LAYERS_LAYER_H

#include "engine/core/graph.h"

typedef struct dv_layer {
    const char *name;
    const char *help;
    size_t attr_size;
    const dv_field *fields;
    /* Adds the layer's nodes, named "<name>...". *value is the layer's input and becomes its
       output. */
    dv_status (*build)(dv_graph *graph, const char *name, const void *attr, int *value);
    /* Replaces build for a layer that consists of whole models. `prefix` is the prefix of the
       surrounding model, with which `name` begins, or NULL. */
    dv_status (*build_models)(dv_graph *graph, const char *prefix, const char *name,
                              const void *attr, int64_t classes, int *value);
} dv_layer;

#define DV_LAYER(name) extern const dv_layer dv__layer_##name;
#include "engine/layers/layers.def"
#undef DV_LAYER

/* ---- Parts of composites; their nodes are named "<prefix>.<suffix>" ---- */

/* A convolution without bias and with "same" padding, then batch norm, then the sum with `residual`
   unless that is -1, then the activation. */
typedef struct dv_conv_norm {
    int64_t filters, kernel, stride;
    int activation; /* dv_activation_kind */
    bool depthwise; /* one filter per channel */
} dv_conv_norm;
dv_status dv__build_conv_norm(dv_graph *graph, const char *prefix, const char *suffix,
                              const dv_conv_norm *spec, int residual, int *value);

/* Adds the activation as a node; DV_ACT_NONE adds nothing. */
dv_status dv__build_activation(dv_graph *graph, const char *prefix, int kind, int *value);

/* Writes "<prefix>.<suffix>" to `name`. Fails with DV_EARG if it is too long. */
dv_status dv__layer_name(char name[DV_NAME_SIZE], const char *prefix, const char *suffix);

#endif
