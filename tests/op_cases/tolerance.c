#include "tests/op_cases/tolerance.h"

#include <math.h>
#include <stdio.h>

tolerance_bounds tolerance_get(op_tolerance tolerance)
{
    /* One rounding of a float is 6e-8. */
    static const tolerance_bounds bounds[TOLERANCE_COUNT] = {
        [TOLERANCE_EXACT] = {"exact", 0, 0, 0, 0, 0},
        [TOLERANCE_ELEMENT] = {"element", 4e-7, 1e-7, 1e-13, 0, 0},
        [TOLERANCE_MATH] = {"math", 2e-6, 1e-6, 1e-12, 0, 0},
        [TOLERANCE_SUM] = {"sum", 2e-6, 1e-5, 2e-12, 0, 0},
        [TOLERANCE_NORM] = {"norm", 4e-6, 4e-6, 1e-12, 0, 0},
        [TOLERANCE_CANCEL] = {"cancel", 1e-5, 1e-5, 1e-11, 0, 0},
        [TOLERANCE_DOUBLE] = {"double", 1e-11, 1e-12, 1e-22, 0, 0},
    };
    return bounds[tolerance];
}

/*
 * u is the relative error of one rounding, half the distance of neighbours: 2^-11 or 2^-8.
 *
 * The result is rounded `result` times, which allows result u relative to it. A term that is
 * rounded r times before the sum is wrong by up to r u. Signs are random, so the sum has the same
 * relative error as a term: r u / sqrt(3) of the tensor's root mean square. The largest of a
 * million such errors is five times that, 3 r u. The sum itself is computed in floats, whose errors
 * add up to at most 2^-24 per term, so a sum in 16 bits does not pass. The smallest FP16 number is
 * 2^-24. Below 2^-14 the error of each of the two results is half of it.
 *
 * For the mean of squares, each rounding of the result adds u^2 / 3, and those of the terms add
 * (r u)^2 / 3 together. Over n normal elements the standard deviation of this mean is
 * 0.7 / sqrt(n) of the limit (result + r^2) u^2, and five deviations are allowed. In a tensor of
 * few elements all roundings may be at their limits, ((result + r) u)^2.
 */
tolerance_bounds tolerance_in(op_tolerance tolerance, dv_dtype dtype, tolerance_roundings roundings)
{
    tolerance_bounds bounds = tolerance_get(tolerance);
    int result = roundings.result, term = roundings.term;
    if (dtype == DV_F32 || tolerance == TOLERANCE_EXACT || result + term == 0)
        return bounds;
    double u = dtype == DV_F16 ? 0x1p-11 : 0x1p-8;
    double most = (result + term) * (result + term);
    double likely = (result + term * term) * (1.0 / 3 + 3.5 / sqrt((double)roundings.count));
    bounds.relative += result * u;
    bounds.absolute += 3 * term * u + (double)roundings.terms * 0x1p-24;
    bounds.nmse += fmin(most, likely) * u * u;
    bounds.floor = dtype == DV_F16 ? 0x1p-24 : 0;
    return bounds;
}

/* The error from the order of the sum, the algorithm and its partial sums grows with the magnitude
   like a random walk of `summands` steps; the factor 8 allows for steps that do not cancel. There
   is no limit on the mean square, because it would hold for one device only. */
tolerance_bounds tolerance_of_products(double epsilon, int64_t summands, dv_dtype dtype,
                                       tolerance_roundings roundings)
{
    double u = dtype == DV_F32 ? 0 : dtype == DV_F16 ? 0x1p-11 : 0x1p-8;
    return (tolerance_bounds){
        .name = "products",
        .relative = roundings.result * u,
        .absolute = 3 * roundings.term * u,
        .nmse = INFINITY,
        .floor = dtype == DV_F16 ? 0x1p-24 : 0,
        .magnitude = 8 * epsilon * sqrt((double)summands),
    };
}

/* The part of its budget that one element uses. */
static double used(double got, double want, double budget)
{
    if (isnan(got) || isnan(want))
        return INFINITY;
    if (got == want)
        return 0;
    if (isinf(got) || isinf(want))
        return INFINITY;
    return budget > 0 ? fabs(got - want) / budget : INFINITY;
}

tolerance_report tolerance_compare(op_tolerance tolerance, const double *got, const double *want,
                                   int64_t count)
{
    return tolerance_compare_within(tolerance_get(tolerance), got, want, NULL, count);
}

tolerance_report tolerance_compare_within(tolerance_bounds bounds, const double *got,
                                          const double *want, const double *magnitudes,
                                          int64_t count)
{
    tolerance_report report = {.worst = -1, .used = -1};
    double power = 0, error = 0;
    for (int64_t i = 0; i < count; i++) {
        power += isfinite(want[i]) ? want[i] * want[i] : 0;
        error += got[i] == want[i] ? 0 : (got[i] - want[i]) * (got[i] - want[i]);
    }
    double rms = count > 0 ? sqrt(power / (double)count) : 0;
    for (int64_t i = 0; i < count; i++) {
        double budget = bounds.relative * fabs(want[i]) + bounds.absolute * rms + bounds.floor;
        if (magnitudes != NULL)
            budget += bounds.magnitude * magnitudes[i];
        double part = used(got[i], want[i], budget);
        if (part > report.used) {
            report.worst = i;
            report.got = got[i];
            report.want = want[i];
            report.used = part;
        }
    }
    report.nmse = error == 0 ? 0 : error / power;
    double floor = (double)count * bounds.floor * bounds.floor;
    bool near = isinf(bounds.nmse) || error <= bounds.nmse * power + floor;
    report.ok = count > 0 && report.used <= 1 && near;
    return report;
}

void tolerance_describe(op_tolerance tolerance, const tolerance_report *report, char *text,
                        size_t size)
{
    tolerance_describe_within(tolerance_get(tolerance), report, text, size);
}

void tolerance_describe_within(tolerance_bounds bounds, const tolerance_report *report, char *text,
                               size_t size)
{
    snprintf(text, size,
             "element %lld: got %.9g, want %.9g, %.3g %% of the budget '%s'; nmse %.3g of %.3g",
             (long long)report->worst, report->got, report->want, 100 * report->used, bounds.name,
             report->nmse, bounds.nmse);
}
