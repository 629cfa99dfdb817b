/*
 * How far two results may differ:
 *
 *     |got - want| <= relative |want| + absolute rms(want)     for every element, and
 *     sum (got - want)^2 <= nmse sum want^2                    for the tensor.
 *
 * The absolute part scales with the tensor's root mean square, so that the bound means the same
 * for losses of 1e4 and for gradients of 1e-4. NaN never passes; infinity passes only against the
 * same infinity. A class is chosen by how an operation rounds, not by which class passes.
 *
 * For tensors of 16 bits, tolerance_in widens a class by the errors of their roundings. Both
 * results are then computed from numbers that the type has exactly.
 */
#ifndef TESTS_OPS_TOLERANCE_H
#define TESTS_OPS_TOLERANCE_H

#include "kernels/formulas/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum op_tolerance {
    TOLERANCE_EXACT,   /* elements are only moved or compared, so results are equal to the bit */
    TOLERANCE_ELEMENT, /* up to three roundings per element */
    TOLERANCE_MATH,    /* exp, erf or tanh, with the last bits of a library or a polynomial */
    TOLERANCE_SUM,     /* sums of up to some thousand products in any order */
    TOLERANCE_NORM,    /* variances, which are a sum, a cancellation and a division */
    TOLERANCE_CANCEL,  /* variances of values 100 standard deviations from zero */
    TOLERANCE_DOUBLE,  /* two computations in double */
    TOLERANCE_COUNT
} op_tolerance;

typedef struct tolerance_bounds {
    const char *name;
    double relative, absolute, nmse;
    double floor;     /* added to the budget of every element */
    double magnitude; /* factor of the element's magnitude, the sum of its products without signs */
} tolerance_bounds;

tolerance_bounds tolerance_get(op_tolerance tolerance);

/* The roundings to 16 bits in a tensor of `count` elements, each a sum of `terms` products. */
typedef struct tolerance_roundings {
    int result; /* roundings of an element itself, 0 if it stays float */
    int term;   /* roundings of each term before it is added */
    int64_t terms, count;
} tolerance_roundings;

/* The class for tensors of `dtype`. It is unchanged for float, and if nothing is rounded to 16
   bits. */
tolerance_bounds tolerance_in(op_tolerance tolerance, dv_dtype dtype,
                              tolerance_roundings roundings);

/*
 * The bounds of a library's sums of products, in any order and by any algorithm that adds up
 * products:
 *
 *     |got - want| <= 8 epsilon sqrt(summands) magnitude     for every element,
 *
 * plus the allowance of tolerance_in for roundings to 16 bits. `epsilon` is the relative error of
 * one rounding in the arithmetic of the products: 2^-24 for float operands and sums.
 */
tolerance_bounds tolerance_of_products(double epsilon, int64_t summands, dv_dtype dtype,
                                       tolerance_roundings roundings);

typedef struct tolerance_report {
    bool ok;
    int64_t worst;    /* index of the element that uses most of its budget */
    double got, want; /* its values */
    double used;      /* the part of its budget that it uses; above 1 fails */
    double nmse;      /* normalised mean square error of the tensor */
} tolerance_report;

tolerance_report tolerance_compare(op_tolerance tolerance, const double *got, const double *want,
                                   int64_t count);

/* `magnitudes` (count) are those of the elements. NULL leaves them out. */
tolerance_report tolerance_compare_within(tolerance_bounds bounds, const double *got,
                                          const double *want, const double *magnitudes,
                                          int64_t count);

/* Writes "element 17: got 0.125, want 0.25, 310 % of the budget 'sum'; nmse 1e-3 of 1e-10". */
void tolerance_describe(op_tolerance tolerance, const tolerance_report *report, char *text,
                        size_t size);
void tolerance_describe_within(tolerance_bounds bounds, const tolerance_report *report, char *text,
                               size_t size);

#endif
