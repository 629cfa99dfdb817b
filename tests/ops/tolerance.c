#include "tests/ops/tolerance.h"

#include <math.h>
#include <stdio.h>

tolerance_bounds tolerance_get(op_tolerance tolerance)
{
    /* A float's rounding is 6e-8. */
    static const tolerance_bounds bounds[TOLERANCE_COUNT] = {
        [TOLERANCE_EXACT] = {"exact", 0, 0, 0},
        [TOLERANCE_ELEMENT] = {"element", 4e-7, 1e-7, 1e-13},
        [TOLERANCE_MATH] = {"math", 2e-6, 1e-6, 1e-12},
        [TOLERANCE_SUM] = {"sum", 2e-6, 1e-5, 2e-12},
        [TOLERANCE_NORM] = {"norm", 4e-6, 4e-6, 1e-12},
        [TOLERANCE_CANCEL] = {"cancel", 1e-5, 1e-5, 1e-11},
        [TOLERANCE_DOUBLE] = {"double", 1e-11, 1e-12, 1e-22},
    };
    return bounds[tolerance];
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
    tolerance_bounds bounds = tolerance_get(tolerance);
    tolerance_report report = {.worst = -1, .used = -1};
    double power = 0, error = 0;
    for (int64_t i = 0; i < count; i++) {
        power += isfinite(want[i]) ? want[i] * want[i] : 0;
        error += got[i] == want[i] ? 0 : (got[i] - want[i]) * (got[i] - want[i]);
    }
    double rms = count > 0 ? sqrt(power / (double)count) : 0;
    for (int64_t i = 0; i < count; i++) {
        double budget = bounds.relative * fabs(want[i]) + bounds.absolute * rms;
        double part = used(got[i], want[i], budget);
        if (part > report.used) {
            report.worst = i;
            report.got = got[i];
            report.want = want[i];
            report.used = part;
        }
    }
    report.nmse = error == 0 ? 0 : error / power;
    report.ok = count > 0 && report.used <= 1 && report.nmse <= bounds.nmse;
    return report;
}

void tolerance_describe(op_tolerance tolerance, const tolerance_report *report, char *text,
                        size_t size)
{
    tolerance_bounds bounds = tolerance_get(tolerance);
    snprintf(text, size,
             "element %lld: got %.9g, want %.9g, %.3g %% of the budget '%s'; nmse %.3g of %.3g",
             (long long)report->worst, report->got, report->want, 100 * report->used, bounds.name,
             report->nmse, bounds.nmse);
}
