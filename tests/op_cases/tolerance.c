#include "tests/op_cases/tolerance.h"

#include <math.h>
#include <stdio.h>

tolerance_bounds tolerance_get(op_tolerance tolerance)
{
    /* A float's rounding is 6e-8. */
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
 * u, the relative error of one rounding: 2^-11 or 2^-8, half the distance of neighbours.
 *
 * The result is rounded `result` times: so many u of it. A term that was rounded r times before it
 * went into the sum is wrong by r u. Signs are random, so the sum's error is to the sum as the
 * term's to the term, r u / sqrt(3) of the tensor's root mean square, and the largest of a million
 * such errors is five times that: 3 r u. The sum itself is one of floats, whose errors add up to at
 * most 2^-24 per term: a sum in 16 bits does not pass.
 * FP16 ends at 2^-24: below 2^-14 an error is half of that, and so for both results.
 *
 * Of the squares: each rounding of the result adds u^2 / 3, those of the terms together (r u)^2
 * / 3. Over n elements of normal distribution the sum's standard deviation is 0.7 / sqrt(n) of the
 * limit, (result + r^2) u^2, of which five are allowed; but in a tensor of few elements all
 * roundings may be at their limits, ((result + r) u)^2.
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

/* What the order of the sum, another algorithm and its partial sums do to the magnitude grows like
   a walk of `summands` steps; eight times that is for steps that do not cancel. The limit on the
   mean square is gone: it would be that of one device. */
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

/* Part of the budget that one element uses. */
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
