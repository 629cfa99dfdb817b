/* Measures clipping, peak and RMS of a sound, and finds channels that cancel each other. */
#include "frontends/audio/audio_levels.h"
#include "engine/base/clones.h"

/* Samples from here on are at full scale. Samples between DV__NEARLY_FULL_SCALE and this are if
   they equal the sample before. */
static const float full_scale = 0.99996F;
enum { CLIPPED_RUN = 3 }; /* shorter runs may be as loud by chance */

void dv__levels_add_loud(dv__levels *levels, int channel, float sample)
{
    bool flat = fabsf(sample) >= full_scale || sample == levels->last[channel];
    levels->flat[channel] = flat ? levels->flat[channel] + 1 : 0;
    if (levels->flat[channel] == CLIPPED_RUN)
        levels->clipped[channel] += CLIPPED_RUN;
    else if (levels->flat[channel] > CLIPPED_RUN)
        levels->clipped[channel]++;
}

/* Computes peak and sum of squares in lanes, which compilers keep in vectors. A NaN does not change
   the peak, but makes the sum NaN. */
DV__CLONES static void measure(const float *samples, int64_t count, float *peak, double *energy)
{
    enum { LANES = 16 };
    float most[LANES] = {0};
    double sums[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            float size = fabsf(samples[i + k]);
            most[k] = size > most[k] ? size : most[k];
            sums[k] += (double)samples[i + k] * (double)samples[i + k];
        }
    }
    for (; i < count; i++) {
        most[0] = fmaxf(most[0], fabsf(samples[i]));
        sums[0] += (double)samples[i] * (double)samples[i];
    }
    *peak = 0;
    *energy = 0;
    for (int k = 0; k < LANES; k++) {
        *peak = fmaxf(*peak, most[k]);
        *energy += sums[k];
    }
}

bool dv__levels_add_quiet(dv__levels *levels, const float *samples, int64_t count)
{
    float peak;
    double energy;
    measure(samples, count, &peak, &energy);
    if (!isfinite(energy) || peak >= DV__NEARLY_FULL_SCALE)
        return false;
    levels->energy[0] += energy;
    levels->mean += energy;
    levels->peak = fmaxf(levels->peak, peak);
    levels->flat[0] = 0;
    if (count > 0)
        levels->last[0] = samples[count - 1];
    return true;
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
