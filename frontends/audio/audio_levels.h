/* Levels of the channels of a sound, measured while it is read. */
#ifndef DV_AUDIO_AUDIO_LEVELS_H
#define DV_AUDIO_AUDIO_LEVELS_H

#include "frontends/audio/audio.h"

#include <math.h>
#include <stdbool.h>

enum { DV__MOST_CHANNELS = 64 };

/* Zeros before the first sample. */
typedef struct dv__levels {
    double energy[DV__MOST_CHANNELS];   /* sum of squares of each channel */
    double mean;                        /* sum of squares of the mean of the channels;
                                           dv__levels_add leaves it to the caller */
    float peak;                         /* the largest of all channels */
    float last[DV__MOST_CHANNELS];      /* the last sample */
    int64_t flat[DV__MOST_CHANNELS];    /* length of the run at full scale that ends there */
    int64_t clipped[DV__MOST_CHANNELS]; /* samples in runs of at least 3 at full scale */
} dv__levels;

/* Samples from here on may be at full scale. The largest sample of u-law is 0.98, that of 8 bits is
   0.992. */
#define DV__NEARLY_FULL_SCALE 0.98F

/* Counts a sample of at least DV__NEARLY_FULL_SCALE. Few sounds have many of them. */
void dv__levels_add_loud(dv__levels *levels, int channel, float sample);

static inline void dv__levels_add(dv__levels *levels, int channel, float sample)
{
    float size = fabsf(sample);
    levels->energy[channel] += (double)sample * (double)sample;
    levels->peak = size > levels->peak ? size : levels->peak;
    if (size >= DV__NEARLY_FULL_SCALE)
        dv__levels_add_loud(levels, channel, sample);
    else
        levels->flat[channel] = 0;
    levels->last[channel] = sample;
}

/* Adds samples (count) of a sound's only channel if all are finite and below
   DV__NEARLY_FULL_SCALE. Otherwise it adds nothing and returns false. */
bool dv__levels_add_quiet(dv__levels *levels, const float *samples, int64_t count);

/* Sets peak, rms and clipped of the facts. Their channels and frames must be set. */
void dv__levels_tell(const dv__levels *levels, dv_audio_facts *facts);

/* The loudest of `count` channels if they cancel each other, as with a cable with one wire turned;
   else -1. They do if their mean has less than a twentieth of the power that it would have if they
   were uncorrelated. */
int dv__levels_cancelled(const dv__levels *levels, int count);

#endif
