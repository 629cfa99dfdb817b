/*
 * Writes a graph, as it is in inference, into a program: each operation has a rule (dv_op.write)
 * that adds the statements of its node.
 *
 * A program's tensors are in one of two forms, between which the writer converts where a rule asks
 * for the other one:
 *
 *     DV_FORM_IMAGE  (batch, C, H, W), as convolutions and pools of other runtimes want it
 *     DV_FORM_ROWS   (batch, H W, C), and (batch, C) where H W is 1: channels last, for products
 */
#ifndef DV_CORE_WRITER_H
#define DV_CORE_WRITER_H

#include "engine/core/graph.h"
#include "engine/program/program.h"

typedef enum dv_form { DV_FORM_IMAGE, DV_FORM_ROWS, DV_FORM_COUNT } dv_form;

typedef struct dv_writer {
    dv_program *program;
    const dv_graph *graph;
    dv_element element; /* of values and parameters */
    struct dv_written {
        dv_value form[DV_FORM_COUNT]; /* DV_NO_VALUE: not in this form yet */
        dv_form first;                /* in which it was computed */
        int users;                    /* nodes */
    } * written;                      /* (nodes of the graph) */
} dv_writer;

/* What to write, and where. */
typedef struct dv_writer_request {
    dv_program *program;
    const dv_graph *graph; /* its parameters have values */
    dv_element element;    /* DV_ELEMENT_F32 or DV_ELEMENT_F16: of all that is computed */
    int inputs[DV_MAX_INPUTS], input_count; /* nodes */
    dv_value values[DV_MAX_INPUTS];         /* of them, FP32, of the form of images */
    int output;                             /* node */
} dv_writer_request;

/* Writes what the output is made of. *value is FP32 and of the form of rows. DV_ECONFIG: an
   operation has no rule. */
dv_status dv_writer_run(const dv_writer_request *request, dv_value *value);

/* ---- For rules ---- */

/* Input i of a node in a form. */
dv_value dv_writer_input(dv_writer *writer, const dv_node *node, int i, dv_form form);

/* The form in which input i was computed: it costs nothing. */
dv_form dv_writer_form(const dv_writer *writer, const dv_node *node, int i);

/* What the node has come to. */
void dv_writer_set(dv_writer *writer, const dv_node *node, dv_form form, dv_value value);

/* Parameter i of the node (node->params) as a constant; `sizes` (rank): of as many elements. */
dv_value dv_writer_param(dv_writer *writer, const dv_node *node, int i, const int64_t *sizes,
                         int rank);

/* Parameter i (units, channels) as the right side of a product: (channels, units). */
dv_value dv_writer_transposed(dv_writer *writer, const dv_node *node, int i);

/* The values of a parameter by its number in the graph's; *values is owned by the caller. */
dv_status dv_writer_read(const dv_writer *writer, int param, float **values);

/* Whether input i of the node has no other user. */
bool dv_writer_alone(const dv_writer *writer, const dv_node *node, int i);

#endif
