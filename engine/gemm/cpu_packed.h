/*
 * Inference on the CPU: a product with a packed weight, and in the same pass what follows it
 * (cpu_epilogue.h). It serves linear layers and convolutions alike: a row of y is a sum over
 * segments, pieces of x that lie one behind the other and meet rows of the weight that do, too. For
 * a convolution a segment is the taps of one kernel row that lie inside the input. Rows of y with
 * the same segments are a class; a linear layer has one class and one segment.
 *
 * The weight lies in panels of 16 columns, (columns / 16, depth, 16), zeros behind the last column:
 * the parameter itself does (dv_cpu_panels_create), so nothing is packed when a program runs.
 *
 * Sums are over the depth in order, one fused multiply-add after the other where the processor has
 * it: a row does not depend on how many there are, nor on the number of threads.
 */
#ifndef DV_GEMM_CPU_PACKED_H
#define DV_GEMM_CPU_PACKED_H

#include "engine/core/plan.h"
#include "engine/device/cpu_device.h"
#include "engine/gemm/cpu_epilogue.h"

/* `length` elements of x from the row's start + x on, times rows w.. of the weight. Depthwise: one
   tap, the row of x times row w of the weight, element by element. */
typedef struct dv_packed_segment {
    int64_t x, w, length;
} dv_packed_segment;

/* Rows that start at sample n, pixel p: x + n x_sample + x_pixel[p], and so in y. */
typedef struct dv_packed_class {
    int64_t pixels;
    int64_t *x_pixel, *y_pixel;  /* (pixels), owned */
    dv_packed_segment *segments; /* (segment_count), owned */
    int64_t segment_count;
    int64_t first_block; /* of a chunk's blocks of rows; set by dv_packed_prepare */
} dv_packed_class;

typedef struct dv_packed_kernels dv_packed_kernels;

typedef struct dv_packed {
    int64_t samples, x_sample, y_sample;
    int64_t depth, columns;
    bool depthwise;
    dv_packed_class *classes; /* (class_count), owned */
    int64_t class_count;
    int64_t chunk;  /* samples that are finished before the next ones */
    int64_t blocks; /* of a chunk */
    int64_t threads;
    const dv_packed_kernels *kernels; /* of this processor */
} dv_packed;

/* Asks for the layout for parameter `param` of the planned node, of dimensions `dim` as
   dv_md_panels has them. *settled false: an earlier plan has fixed another one. */
dv_status dv_packed_settle(dv_planner *planner, int param, int rank, const int64_t *dim,
                           bool *settled);

/* The product x (rows, in), w (out, in) -> y (rows, out). On failure there is nothing to drop. */
dv_status dv_packed_rows(const dv_node_step *step, int64_t rows, int64_t in, int64_t out,
                         dv_packed *packed);

/* Sets what follows from the other fields. */
void dv_packed_prepare(const dv_node_step *step, dv_packed *packed);
void dv_packed_drop(dv_packed *packed); /* the classes */

/* Those that this processor can run, the fastest first; NULL behind the last. */
const dv_packed_kernels *dv__packed_kernels(int number);

/* y = the product and what follows; all rows of all samples. */
void dv_packed_run(const dv_packed *packed, const float *x, const float *w,
                   const dv_cpu_epilogue *after, float *y);

#endif
