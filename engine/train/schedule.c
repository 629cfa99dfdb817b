#include "engine/train/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const dv_schedule_names[] = {"cosine", "none", NULL};

double dv_schedule_rate(const dv_schedule *schedule, uint64_t step)
{
    static const double pi = 3.141592653589793;
    if (step < schedule->warmup)
        return schedule->peak * (double)(step + 1) / (double)(schedule->warmup + 1);
    if (schedule->kind == DV_SCHEDULE_NONE)
        return schedule->peak;
    /* A run of one step after the warm-up has no way to go: it stays at the peak. */
    uint64_t span =
        schedule->total > schedule->warmup + 1 ? schedule->total - schedule->warmup - 1 : 0;
    double progress = span > 0 ? fmin(1.0, (double)(step - schedule->warmup) / (double)span) : 0;
    return schedule->minimum +
           0.5 * (schedule->peak - schedule->minimum) * (1.0 + cos(pi * progress));
}
