/* The kernels of test_cudasim.c: right ones, and ones with a planted bug each. */
#ifndef CUDASIM_TEST_KERNELS_H
#define CUDASIM_TEST_KERNELS_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = factor x; count a multiple of 4 */
int test_scale(dv_dtype dtype, void *y, const void *x, float factor, int64_t count, void *stream);

/* Each row of x (rows, columns): y = softmax. */
int test_softmax(float *y, const float *x, int rows, int columns, void *stream);

/* y (columns, rows) = x (rows, columns), both multiples of 16 */
int test_transpose(float *y, const float *x, int rows, int columns, void *stream);

/* y[i] = x[0] + ... + x[i], for i < 32 */
int test_warp_scan(int *y, const int *x, void *stream);

/* y = x reversed in pieces of `width` = 8, i < 32; *votes: the lanes where x is odd */
int test_warp_segments(int *y, const int *x, unsigned *votes, void *stream);

/* y = x reversed, count <= 1024, a multiple of 32, through dynamic shared memory */
int test_reverse(float *y, const float *x, int count, void *stream);

/* *total += the number of odd x, count a multiple of 64; *even_blocks: blocks without one */
int test_count_odd(int *total, int *even_blocks, const int *x, int count, void *stream);

/* The first element of y = the kibibytes of dynamic shared memory; more than 48 only if allowed. */
int test_large_shared(float *y, int kibibytes, int allow, void *stream);

int test_empty_launch(float *y, unsigned threads, void *stream);

/* All of these take y (64) of device memory and one block of 64 threads. */
typedef enum test_bug {
    BUG_DEVICE_OVERRUN,     /* y[64] = ... */
    BUG_DEVICE_UNDERRUN,    /* y[-1] = ... */
    BUG_SHARED_OVERRUN,     /* one beyond the end of a static array */
    BUG_DYNAMIC_OVERRUN,    /* one beyond the end of the dynamic one */
    BUG_MISSING_BARRIER,    /* reads what a neighbour writes */
    BUG_DIVERGENT_BARRIER,  /* two barriers on one line */
    BUG_RETURN_BARRIER,     /* half of the block has returned */
    BUG_UNWRITTEN,          /* the odd elements of y */
    BUG_UNINITIALISED,      /* reads shared memory that nobody wrote */
    BUG_MISSING_LANE,       /* lane 31 of a full mask is elsewhere */
    BUG_DIVERGENT_LANES,    /* two shuffles with a full mask each */
    BUG_FOREIGN_MASK,       /* a lane that its own mask does not name */
    BUG_UNNAMED_LANE,       /* a value from a lane that the mask does not name */
    BUG_BARRIER_AND_SHUFFLE /* half a warp at a barrier, half in a shuffle */
} test_bug;

int test_plant(test_bug bug, float *y, void *stream);

#ifdef __cplusplus
}
#endif

#endif
