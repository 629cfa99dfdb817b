/*
 * Layers: what a model's configuration is a list of. Every primitive operation with one input is a
 * layer by the same name and fields; the composites of layers.def build several nodes, so that
 * their gradient comes for free.
 */
#ifndef DV_LAYERS_LAYER_H
#define DV_LAYERS_LAYER_H

#include "engine/core/graph.h"

typedef struct dv_layer {
    const char *name;
    const char *help;
    size_t attr_size;
    const dv_field *fields;
    /* Adds the layer's nodes, named "<name>..." ; *value is its input and becomes its output. */
    dv_status (*build)(dv_graph *graph, const char *name, const void *attr, int *value);
    /* In its place, for a layer that is made of whole models. `prefix`: of the model that the layer
       is in, which `name` begins with; NULL: none. */
    dv_status (*build_models)(dv_graph *graph, const char *prefix, const char *name,
                              const void *attr, int64_t classes, int *value);
} dv_layer;

#define DV_LAYER(name) extern const dv_layer dv__layer_##name;
#include "engine/layers/layers.def"
#undef DV_LAYER

/* ---- Pieces that composites are made of; names are "<prefix>.<suffix>" ---- */

/* convolution without bias, "same" padding, batch norm, activation [of the sum with `residual`,
   where that is not -1]. */
typedef struct dv_conv_norm {
    int64_t filters, kernel, stride;
    int activation; /* dv_activation_kind */
    bool depthwise; /* each channel by itself */
} dv_conv_norm;
dv_status dv__build_conv_norm(dv_graph *graph, const char *prefix, const char *suffix,
                              const dv_conv_norm *spec, int residual, int *value);

/* The activation as a node of its own; DV_ACT_NONE adds none. */
dv_status dv__build_activation(dv_graph *graph, const char *prefix, int kind, int *value);

/* "<prefix>.<suffix>" into `name`; DV_EARG when too long. */
dv_status dv__layer_name(char name[DV_NAME_SIZE], const char *prefix, const char *suffix);

#endif
