/* What is measured of the channels of a sound while they are read. */
#ifndef DV_AUDIO_AUDIO_LEVELS_H
#define DV_AUDIO_AUDIO_LEVELS_H

#include "frontends/audio/audio.h"

#include <math.h>
#include <stdbool.h>

enum { DV__MOST_CHANNELS = 64 };

/* Of no sample yet: all 0. */
typedef struct dv__levels {
    double
        energy[DV__MOST_CHANNELS]; /* sums of squares, by which channels that cancel are found, */
    double mean;                   /* and that of their mean, which the reader adds up */
    float peak;
    float last[DV__MOST_CHANNELS];      /* sample */
    int64_t flat[DV__MOST_CHANNELS];    /* samples at full scale up to the last one */
    int64_t clipped[DV__MOST_CHANNELS]; /* samples in runs of them */
} dv__levels;

/* From here on a sample may be at full scale: of u-law the largest is 0.98, of 8 bits 0.992. */
#define DV__NEARLY_FULL_SCALE 0.98F

/* Counts a sample of at least DV__NEARLY_FULL_SCALE, of which few sounds have many. */
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

/* Adds samples (count) of a sound's only channel, if all are finite and below
   DV__NEARLY_FULL_SCALE; false: they are not, and nothing is added. */
bool dv__levels_add_quiet(dv__levels *levels, const float *samples, int64_t count);

/* Sets peak, rms and clipped of the facts, whose channels and frames are known. */
void dv__levels_tell(const dv__levels *levels, dv_audio_facts *facts);

/* The loudest of `count` channels if their mean has less than a twentieth of the power that it has
   where they know nothing of each other: a cable with one wire turned. Otherwise -1. */
int dv__levels_cancelled(const dv__levels *levels, int count);

#endif
