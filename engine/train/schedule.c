/* Computes the learning rate of each schedule, and watches the loss for the schedule `plateau`. */
#include "engine/train/schedule.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

const char *const dv_schedule_names[] = {"cosine",    "none", "cosine_restarts", "step", "plateau",
                                         "one_cycle", NULL};

/* Goes from `begin` to `end` as `progress` goes from 0 to 1. */
static double half_cosine(double begin, double end, double progress)
{
    static const double pi = 3.141592653589793;
    return end + 0.5 * (begin - end) * (1.0 + cos(pi * progress));
}

/* PyTorch's CosineAnnealingLR, with the updates after the warm-up as T_max. The minimum would come
   right after the last update, because an update of rate 0 would have no effect. */
static double cosine(const dv_schedule *schedule, uint64_t update)
{
    uint64_t span = schedule->total > schedule->warmup ? schedule->total - schedule->warmup : 0;
    double progress = span > 0 ? fmin(1.0, (double)update / (double)span) : 0;
    return half_cosine(schedule->peak, schedule->minimum, progress);
}

/* Equation 5 of SGDR with T_i = T_0 T_mult^i, as PyTorch's CosineAnnealingWarmRestarts. */
static double cosine_restarts(const dv_schedule *schedule, uint64_t update)
{
    double period = (double)schedule->period, place = (double)update;
    if (schedule->factor > 1) {
        for (; place >= period; period *= schedule->factor)
            place -= period;
    } else {
        place = fmod(place, period);
    }
    return half_cosine(schedule->peak, schedule->minimum, place / period);
}

/* PyTorch's OneCycleLR with anneal_strategy cos and its default div_factor, over total + 1 updates,
   of which the last, with the minimum, is never made. It begins at 1/25 of the peak, and reaches
   the peak at update rise (total + 1) - 1. */
static double one_cycle(const dv_schedule *schedule, uint64_t update)
{
    double last = (double)schedule->total, top = schedule->rise * (last + 1) - 1;
    double place = fmin((double)update, last);
    if (place <= top && top > 0)
        return half_cosine(schedule->peak / 25, schedule->peak, place / top);
    top = fmax(top, 0);
    double progress = last > top ? (place - top) / (last - top) : 0;
    return half_cosine(schedule->peak, schedule->minimum, progress);
}

static double fallen(const dv_schedule *schedule, uint64_t falls)
{
    return fmax(schedule->minimum, schedule->peak * pow(schedule->factor, (double)falls));
}

/* Returns the rate of the update after `update` updates. All schedules except one_cycle begin with
   the warm-up, and count updates from its end. */
double dv_schedule_rate(const dv_schedule *schedule, uint64_t update)
{
    if (schedule->kind == DV_SCHEDULE_ONE_CYCLE)
        return one_cycle(schedule, update);
    double peak =
        schedule->kind == DV_SCHEDULE_PLATEAU ? fallen(schedule, schedule->falls) : schedule->peak;
    if (update < schedule->warmup)
        return peak * (double)(update + 1) / (double)(schedule->warmup + 1);
    update -= schedule->warmup;
    switch ((dv_schedule_kind)schedule->kind) {
    case DV_SCHEDULE_COSINE:
        return cosine(schedule, update);
    case DV_SCHEDULE_COSINE_RESTARTS:
        return cosine_restarts(schedule, update);
    case DV_SCHEDULE_STEP: /* PyTorch's StepLR */
        return fallen(schedule, update / schedule->period);
    case DV_SCHEDULE_PLATEAU:
    case DV_SCHEDULE_NONE:
    case DV_SCHEDULE_ONE_CYCLE:
        break;
    }
    return peak;
}

bool dv_plateau_watch(dv_plateau *plateau, bool first, double loss, int64_t patience)
{
    static const double threshold = 1e-4;
    if (first || !isfinite(plateau->best))
        plateau->best = DBL_MAX; /* not infinity, which a saved state cannot hold */
    if (loss < plateau->best * (1 - threshold)) {
        plateau->best = loss;
        plateau->stale = 0;
        return false;
    }
    if (++plateau->stale <= patience)
        return false;
    plateau->stale = 0;
    return true;
}
