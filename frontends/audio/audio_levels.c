/* Measures clipping, peak and RMS of a sound, and finds channels that cancel each other. */
#include "frontends/audio/audio_levels.h"

#include <stdbool.h>

/* A sample is at full scale from here on, and between this and DV__NEARLY_FULL_SCALE where it is as
   the one before. */
static const float full_scale = 0.99996F;
enum { CLIPPED_RUN = 3 }; /* a peak alone, or two samples beside it, may be as loud by chance */

void dv__levels_add_loud(dv__levels *levels, int channel, float sample)
{
    bool flat = fabsf(sample) >= full_scale || sample == levels->last[channel];
    levels->flat[channel] = flat ? levels->flat[channel] + 1 : 0;
    if (levels->flat[channel] == CLIPPED_RUN)
        levels->clipped[channel] += CLIPPED_RUN;
    else if (levels->flat[channel] > CLIPPED_RUN)
        levels->clipped[channel]++;
}

void dv__levels_tell(const dv__levels *levels, dv_audio_facts *facts)
{
    double count = (double)facts->frames;
    facts->peak = (double)levels->peak;
    for (int channel = 0; channel < facts->channels; channel++) {
        facts->rms = fmax(facts->rms, sqrt(levels->energy[channel] / count));
        facts->clipped = fmax(facts->clipped, (double)levels->clipped[channel] / count);
    }
}

int dv__levels_cancelled(const dv__levels *levels, int count)
{
    double sum = 0;
    int loudest = 0;
    for (int channel = 0; channel < count; channel++) {
        sum += levels->energy[channel];
        if (levels->energy[channel] > levels->energy[loudest])
            loudest = channel;
    }
    return levels->mean < 0.05 * sum / count / count ? loudest : -1;
}
