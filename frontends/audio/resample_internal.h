/*
 * A sound is resampled in two steps, of which either can be missing:
 *
 *   downwards  from `from` to twice `to` by a polyphase filter that passes 0.52 of `to` and stops
 *              1.48 of it; then to `to` by a half-band filter, which is sharp
 *   upwards    to twice `from` by the half-band filter; then to `to` by a polyphase filter that
 *              passes 0.52 of `from` and stops 1.48 of it
 *
 * What the polyphase filter leaves between the two, the half-band filter stops. That one passes
 * 0.48 and stops 0.52. So one sharp filter serves all rates, and of its coefficients every second
 * one is 0.
 */
#ifndef DV_RESAMPLE_INTERNAL_H
#define DV_RESAMPLE_INTERNAL_H

#include "engine/base/status.h"

#include <stdbool.h>

enum {
    DV__SIDE_BY_SIDE = 16,   /* samples that the loops compute at a time */
    DV__HALF_BAND_REACH = 80 /* samples on each side of a half-band filter, every second one */
};

/* coefs (DV__SIDE_BY_SIDE, DV__HALF_BAND_REACH / DV__SIDE_BY_SIDE): [i][k] is what both neighbours
   at the distance 2 (i + k * DV__SIDE_BY_SIDE) + 1 are multiplied with in the sum that stands for
   the sample between them. Constants keep their value. */
void dv__half_band_design(float *coefs);

/* From one rate to up / down times it. Sample n of the result lies at sample n * down / up of the
   sound; its phase is n * down modulo `up`. */
typedef struct dv__polyphase {
    int64_t up, down;
    int64_t reach; /* a sum is over so many samples on each side */
    int64_t taps;  /* 2 * reach, filled up to a multiple of DV__SIDE_BY_SIDE with zeros */
    int64_t steps; /* rows of coefficients for the distance of two samples */
    bool between;  /* a phase may lie between two rows, and there is one row more; false: each phase
                      has its row */
    float *coefs;  /* (steps or steps + 1, taps), owned */
} dv__polyphase;

/* From `from` to `to` Hz. Passes 0.52 of `low`, which is the lower rate before or after, and stops
   1.48 of it. DV_ENOMEM: there is no filter. */
dv_status dv__polyphase_design(int64_t from, int64_t to, int64_t low, dv__polyphase *filter);
void dv__polyphase_free(dv__polyphase *filter);

int64_t dv__polyphase_size(const dv__polyphase *filter); /* coefficients */

/* sums[i]: the sum over the distances, in the order of the coefficients, of one times
   (middle[i + distance] + middle[i - 1 - distance]), the distance being in samples of `middle`.
   Beyond `count`, DV__SIDE_BY_SIDE samples are read and written. */
void dv__half_band_sums(const float *coefs, const float *middle, int64_t count, float *sums);

/* to[i] = the mean of each second sample and the sum that stands for it. */
void dv__half_band_means(const float *samples, const float *sums, int64_t count, float *to);

/* Each sample and the sum behind it. */
void dv__interleave(const float *samples, const float *sums, int64_t count, float *to);

/* to[i] = samples[i * step] */
void dv__take_every(int64_t step, const float *samples, int64_t count, float *to);

/* Samples that have been deinterleaved: sample n is at (n % parts, n / parts). */
typedef struct dv__parts {
    const float *at; /* (parts, pitch) */
    int64_t parts, pitch;
} dv__parts;

/* to[i * stride], i < count: the sum over k of coefs[k] * sample (first + k + i * parts), in this
   order; coefficients of 0 cost nothing. Beyond the last one, DV__SIDE_BY_SIDE samples of each part
   are read. */
void dv__phase_sums(const float *coefs, int64_t taps, const dv__parts *samples, int64_t first,
                    int64_t count, int64_t stride, float *to);

/* to (count): from the sample with this phase on, the first one that its sum is over being at
   `samples`. Each sum is over DV__SIDE_BY_SIDE interleaved ones. */
void dv__row_sums(const dv__polyphase *filter, const float *samples, int64_t phase, int64_t count,
                  float *to);

/* The same for a filter with phases between its rows. */
void dv__interpolated_sums(const dv__polyphase *filter, const float *samples, int64_t phase,
                           int64_t count, float *to);

#endif
