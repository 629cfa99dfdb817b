/*
 * Inference on the CPU: a product with a packed weight, and its epilogue (cpu_epilogue.h) in the
 * same pass. It serves linear layers and convolutions. A row of y is a sum over segments; a segment
 * is a contiguous piece of x times contiguous rows of the weight. In a convolution a segment is the
 * taps of one kernel row that lie inside the input. Rows of y with the same segments form a class;
 * a linear layer has one class and one segment.
 *
 * The weight is in panels of 16 columns, (columns / 16, depth, 16), with zeros after the last
 * column. The parameter itself has this layout (dv_cpu_panels_create), so a run packs nothing.
 *
 * Sums run over the depth in order, with fused multiply-adds if the processor has them. So a row
 * depends neither on the number of rows nor on the number of threads.
 */
#ifndef DV_GEMM_CPU_PACKED_H
#define DV_GEMM_CPU_PACKED_H

#include "engine/core/plan.h"
#include "engine/device/cpu_device.h"
#include "engine/gemm/cpu_epilogue.h"

/* Multiplies `length` elements of x, from the row's start + x on, by the rows of the weight from w
   on. A depthwise segment is one tap: the row of x times row w of the weight, element by
   element. */
typedef struct dv_packed_segment {
    int64_t x, w, length;
} dv_packed_segment;

/* Rows with the same segments. The row of sample n and pixel p starts at x + n x_sample +
   x_pixel[p], and likewise in y. */
typedef struct dv_packed_class {
    int64_t pixels;
    int64_t *x_pixel, *y_pixel;  /* (pixels), owned */
    dv_packed_segment *segments; /* (segment_count), owned */
    int64_t segment_count;
    int64_t first_block; /* index among a chunk's blocks of rows; set by dv_packed_prepare */
} dv_packed_class;

typedef struct dv_packed_kernels dv_packed_kernels;

typedef struct dv_packed {
    int64_t samples, x_sample, y_sample;
    int64_t depth, columns;
    bool depthwise;
    dv_packed_class *classes; /* (class_count), owned */
    int64_t class_count;
    int64_t chunk;  /* samples of a chunk; chunks are finished one after the other */
    int64_t blocks; /* blocks of rows in a chunk */
    int64_t threads;
    const dv_packed_kernels *kernels; /* kernels for this processor */
} dv_packed;

/* Requests the panel layout for parameter `param` of the planned node, with dimensions `dim` as in
   dv_md_panels. *settled is false if an earlier plan has fixed another layout. */
dv_status dv_packed_settle(dv_planner *planner, int param, int rank, const int64_t *dim,
                           bool *settled);

/* The product x (rows, in), w (out, in) -> y (rows, out). On failure there is nothing to drop. */
dv_status dv_packed_rows(const dv_node_step *step, int64_t rows, int64_t in, int64_t out,
                         dv_packed *packed);

/* Sets the fields that depend on the others. */
void dv_packed_prepare(const dv_node_step *step, dv_packed *packed);
void dv_packed_drop(dv_packed *packed); /* frees the classes */

/* The kernels that this processor can run, fastest first. NULL if there are not so many. */
const dv_packed_kernels *dv__packed_kernels(int number);

/* Computes the product and its epilogue for all rows of all samples. */
void dv_packed_run(const dv_packed *packed, const float *x, const float *w,
                   const dv_cpu_epilogue *after, float *y);

#endif
