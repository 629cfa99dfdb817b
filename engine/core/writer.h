/*
 * Writes the inference graph into a program. Each operation has a rule (dv_op.write) that adds the
 * statements of its node.
 *
 * A program's tensors have one of two forms. The writer converts between them if a rule asks for
 * the other one:
 *
 *     DV_FORM_IMAGE  (batch, C, H, W), for convolutions and pools of other runtimes
 *     DV_FORM_ROWS   (batch, H W, C), or (batch, C) if H W is 1: channels last, for products
 */
#ifndef DV_CORE_WRITER_H
#define DV_CORE_WRITER_H

#include "engine/core/graph.h"
#include "engine/program/program.h"

typedef enum dv_form { DV_FORM_IMAGE, DV_FORM_ROWS, DV_FORM_COUNT } dv_form;

typedef struct dv_writer {
    dv_program *program;
    const dv_graph *graph;
    dv_element element; /* type of values and parameters */
    struct dv_written {
        dv_value form[DV_FORM_COUNT]; /* DV_NO_VALUE if not yet in this form */
        dv_form first;                /* form in which the value was computed */
        int users;                    /* number of nodes that read the value */
    } * written;                      /* (nodes of the graph) */
} dv_writer;

typedef struct dv_writer_request {
    dv_program *program;
    const dv_graph *graph; /* its parameters have values */
    dv_element element;    /* DV_ELEMENT_F32 or DV_ELEMENT_F16, for all computed values */
    int inputs[DV_MAX_INPUTS], input_count; /* nodes */
    dv_value values[DV_MAX_INPUTS];         /* values of the input nodes, FP32, in DV_FORM_IMAGE */
    int output;                             /* node */
} dv_writer_request;

/* Writes the statements that compute the output. *value is FP32 in DV_FORM_ROWS. Fails with
   DV_ECONFIG if an operation has no rule. */
dv_status dv_writer_run(const dv_writer_request *request, dv_value *value);

/* ---- For rules ---- */

/* Input i of a node in the given form. */
dv_value dv_writer_input(dv_writer *writer, const dv_node *node, int i, dv_form form);

/* The form in which input i was computed, and which needs no conversion. */
dv_form dv_writer_form(const dv_writer *writer, const dv_node *node, int i);

/* Sets the value of the node. */
void dv_writer_set(dv_writer *writer, const dv_node *node, dv_form form, dv_value value);

/* Parameter i of the node (node->params) as a constant of `sizes` (rank). The number of elements
   must be the parameter's. */
dv_value dv_writer_param(dv_writer *writer, const dv_node *node, int i, const int64_t *sizes,
                         int rank);

/* Parameter i (units, channels) as the right side of a product: (channels, units). */
dv_value dv_writer_transposed(dv_writer *writer, const dv_node *node, int i);

/* Reads the values of parameter `param` of the graph. The caller owns *values. */
dv_status dv_writer_read(const dv_writer *writer, int param, float **values);

/* Whether input i of the node has no other user. */
bool dv_writer_alone(const dv_writer *writer, const dv_node *node, int i);

#endif
