/*
 * How far two results may differ:
 *
 *     |got - want| <= relative |want| + absolute rms(want)     for every element, and
 *     sum (got - want)^2 <= nmse sum want^2                    for the tensor.
 *
 * The absolute part scales with the tensor's root mean square, so that the bound means the same
 * for losses of 1e4 and for gradients of 1e-4. Not-a-number never passes, infinity only where the
 * other is the same infinity. A class is chosen by how an operation rounds, not by what passes.
 *
 * Where tensors have 16 bits (tolerance_in) the classes grow by what their roundings do; both
 * results are then computed from numbers that the type has exactly.
 */
#ifndef TESTS_OPS_TOLERANCE_H
#define TESTS_OPS_TOLERANCE_H

#include "kernels/formulas/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum op_tolerance {
    TOLERANCE_EXACT,   /* moves or compares elements: equal to the bit */
    TOLERANCE_ELEMENT, /* up to three roundings per element */
    TOLERANCE_MATH,    /* exp, erf, tanh: a library's or a polynomial's last bits */
    TOLERANCE_SUM,     /* sums of up to some thousand products in any order */
    TOLERANCE_NORM,    /* variances: a sum, a cancellation and a division */
    TOLERANCE_CANCEL,  /* the same, 100 standard deviations from zero */
    TOLERANCE_DOUBLE,  /* two computations in double */
    TOLERANCE_COUNT
} op_tolerance;

typedef struct tolerance_bounds {
    const char *name;
    double relative, absolute, nmse;
    double floor;     /* allowed for every element besides, whatever the tensor's size */
    double magnitude; /* of the element's magnitude, the sum of its products without their signs */
} tolerance_bounds;

tolerance_bounds tolerance_get(op_tolerance tolerance);

/* How a tensor of `count` elements, each a sum of `terms` products, comes out in 16 bits. */
typedef struct tolerance_roundings {
    int result; /* of an element itself: none where it stays float */
    int term;   /* of what is added up */
    int64_t terms, count;
} tolerance_roundings;

/* The class where tensors are of `dtype`. In float, and where nothing is rounded to 16 bits: the
   class itself. */
tolerance_bounds tolerance_in(op_tolerance tolerance, dv_dtype dtype,
                              tolerance_roundings roundings);

/*
 * Sums of products by a library, in any order and by any algorithm that adds up products:
 *
 *     |got - want| <= 8 epsilon sqrt(summands) magnitude     for every element,
 *
 * and besides what tolerance_in allows for roundings to 16 bits. `epsilon`: of one rounding of what
 * products are computed in; 2^-24 where operands are taken as they are and sums are floats.
 */
tolerance_bounds tolerance_of_products(double epsilon, int64_t summands, dv_dtype dtype,
                                       tolerance_roundings roundings);

typedef struct tolerance_report {
    bool ok;
    int64_t worst;    /* index of the element that uses most of its budget */
    double got, want; /* there */
    double used;      /* part of the budget used there: above 1 fails */
    double nmse;      /* over the tensor */
} tolerance_report;

tolerance_report tolerance_compare(op_tolerance tolerance, const double *got, const double *want,
                                   int64_t count);

/* `magnitudes` (count): of the elements; NULL where the bounds have no use for them. */
tolerance_report tolerance_compare_within(tolerance_bounds bounds, const double *got,
                                          const double *want, const double *magnitudes,
                                          int64_t count);

/* "element 17: got 0.125, want 0.25, 310 % of the budget; nmse 1e-3 of 1e-10". */
void tolerance_describe(op_tolerance tolerance, const tolerance_report *report, char *text,
                        size_t size);
void tolerance_describe_within(tolerance_bounds bounds, const tolerance_report *report, char *text,
                               size_t size);

#endif
