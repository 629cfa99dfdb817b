/* The operations' rules for programs (dv_op.write), and their shared functions. */
#ifndef DV_OPS_WRITE_H
#define DV_OPS_WRITE_H

#include "engine/core/writer.h"

dv_status dv__write_activation(dv_writer *writer, const dv_node *node);
dv_status dv__write_add(dv_writer *writer, const dv_node *node);
dv_status dv__write_attention(dv_writer *writer, const dv_node *node);
dv_status dv__write_avgpool(dv_writer *writer, const dv_node *node);
dv_status dv__write_batchnorm(dv_writer *writer, const dv_node *node);
dv_status dv__write_concat(dv_writer *writer, const dv_node *node);
dv_status dv__write_conv2d(dv_writer *writer, const dv_node *node);
dv_status dv__write_flatten(dv_writer *writer, const dv_node *node);
dv_status dv__write_frames(dv_writer *writer, const dv_node *node);
dv_status dv__write_global_avgpool(dv_writer *writer, const dv_node *node);
dv_status dv__write_global_maxpool(dv_writer *writer, const dv_node *node);
dv_status dv__write_layer_norm(dv_writer *writer, const dv_node *node);
dv_status dv__write_linear(dv_writer *writer, const dv_node *node);
dv_status dv__write_maxpool(dv_writer *writer, const dv_node *node);
dv_status dv__write_positions(dv_writer *writer, const dv_node *node);
dv_status dv__write_spatial_attention(dv_writer *writer, const dv_node *node);
dv_status dv__write_squeeze_excite(dv_writer *writer, const dv_node *node);
dv_status dv__write_weighted_sum(dv_writer *writer, const dv_node *node);

/* An activation (dv_activation_kind) of x. DV_ACT_NONE gives x itself. */
dv_value dv__write_function(dv_program *program, int kind, dv_value x);

/* Writes a MaxPool or AveragePool. */
void dv__write_pool(dv_writer *writer, const dv_node *node, dv_operator op_type);

#endif
