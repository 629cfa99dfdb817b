/* The kernels of test_cudasim.c: correct ones, and ones with one planted bug each. */
#ifndef CUDASIM_TEST_KERNELS_H
#define CUDASIM_TEST_KERNELS_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = factor x. `count` is a multiple of 4. */
int test_scale(dv_dtype dtype, void *y, const void *x, float factor, int64_t count, void *stream);

/* y = softmax of each row of x (rows, columns). */
int test_softmax(float *y, const float *x, int rows, int columns, void *stream);

/* y (columns, rows) = x (rows, columns) transposed. Both sizes are multiples of 16. */
int test_transpose(float *y, const float *x, int rows, int columns, void *stream);

/* y[i] = x[0] + ... + x[i] for i < 32. */
int test_warp_scan(int *y, const int *x, void *stream);

/* y (32) = x reversed in segments of 8 lanes. *votes has a bit for each lane with an odd x. */
int test_warp_segments(int *y, const int *x, unsigned *votes, void *stream);

/* y = x reversed through dynamic shared memory. `count` is a multiple of 32, at most 1024. */
int test_reverse(float *y, const float *x, int count, void *stream);

/* Adds the number of odd x to *total, and the number of blocks without one to *even_blocks. `count`
   is a multiple of 64. */
int test_count_odd(int *total, int *even_blocks, const int *x, int count, void *stream);

/* Sets y[0] to the kibibytes of dynamic shared memory. More than 48 need `allow`. */
int test_large_shared(float *y, int kibibytes, int allow, void *stream);

int test_empty_launch(float *y, unsigned threads, void *stream);

/* Planted bugs. All kernels take y (64) in device memory and run one block of 64 threads. */
typedef enum test_bug {
    BUG_DEVICE_OVERRUN,     /* writes y[64] */
    BUG_DEVICE_UNDERRUN,    /* writes y[-1] */
    BUG_SHARED_OVERRUN,     /* writes one element beyond a static array */
    BUG_DYNAMIC_OVERRUN,    /* writes one element beyond the dynamic array */
    BUG_MISSING_BARRIER,    /* reads a neighbour's element without a barrier */
    BUG_DIVERGENT_BARRIER,  /* meets at two barriers on one line */
    BUG_RETURN_BARRIER,     /* half of the block returns before the barrier */
    BUG_UNWRITTEN,          /* leaves out the odd elements of y */
    BUG_UNINITIALISED,      /* reads shared memory that nobody wrote */
    BUG_MISSING_LANE,       /* a full mask names lane 31, which is elsewhere */
    BUG_DIVERGENT_LANES,    /* lanes meet at two shuffles, each with a full mask */
    BUG_FOREIGN_MASK,       /* a lane uses a mask that does not name it */
    BUG_UNNAMED_LANE,       /* reads a value from a lane that the mask does not name */
    BUG_BARRIER_AND_SHUFFLE /* half a warp is at a barrier, half in a shuffle */
} test_bug;

int test_plant(test_bug bug, float *y, void *stream);

#ifdef __cplusplus
}
#endif

#endif
