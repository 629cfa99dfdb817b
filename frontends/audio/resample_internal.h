/*
 * A sound is resampled in two steps, and either may be missing:
 *
 *   downwards  from `from` to twice `to` by a polyphase filter that passes 0.52 of `to` and stops
 *              1.48 of it; then to `to` by a half-band filter
 *   upwards    to twice `from` by the half-band filter; then to `to` by a polyphase filter that
 *              passes 0.52 of `from` and stops 1.48 of it
 *
 * The half-band filter is sharp: it passes 0.48 and stops 0.52 of the lower rate. It stops the
 * frequencies that the wide transition of the polyphase filter lets through. So one sharp filter
 * serves all rates, and every second coefficient of it is 0.
 */
#ifndef DV_RESAMPLE_INTERNAL_H
#define DV_RESAMPLE_INTERNAL_H

#include "engine/base/status.h"

#include <stdbool.h>

enum {
    DV__SIDE_BY_SIDE = 16,   /* samples that the loops compute at a time */
    DV__HALF_BAND_REACH = 80 /* coefficients on each side of the half-band filter that are not 0 */
};

/* Computes coefs (DV__SIDE_BY_SIDE, DV__HALF_BAND_REACH / DV__SIDE_BY_SIDE). The sum that stands
   for the sample in the middle multiplies both neighbours at the distance
   2 (i + k * DV__SIDE_BY_SIDE) + 1 by coefs[i][k]. Constants keep their value. */
void dv__half_band_design(float *coefs);

/* A filter from one rate to up / down times that rate. Sample n of the result lies at sample
   n * down / up of the sound; its phase is n * down modulo `up`. */
typedef struct dv__polyphase {
    int64_t up, down;
    int64_t reach; /* samples on each side that a sum is over */
    int64_t taps;  /* 2 * reach, padded with zeros to a multiple of DV__SIDE_BY_SIDE */
    int64_t steps; /* rows of coefficients from one sample of the sound to the next */
    bool between;  /* phases lie between two rows, and there is one more row; if false, each phase
                      has its row */
    float *coefs;  /* (steps or steps + 1, taps), owned */
} dv__polyphase;

/* Designs the filter from `from` to `to` Hz. It passes 0.52 of `low` and stops 1.48 of it, `low`
   being the lower rate of the two-step resampling. After DV_ENOMEM the filter is empty. */
dv_status dv__polyphase_design(int64_t from, int64_t to, int64_t low, dv__polyphase *filter);
void dv__polyphase_free(dv__polyphase *filter);

int64_t dv__polyphase_size(const dv__polyphase *filter); /* number of coefficients */

/* sums[i] = the sum over k, in the order of `coefs`, of the coefficient for the distance d times
   (middle[i + d] + middle[i - 1 - d]), where d = 0, 1, ... counts samples of `middle`. Up to
   DV__SIDE_BY_SIDE samples beyond `count` are read and written. */
void dv__half_band_sums(const float *coefs, const float *middle, int64_t count, float *sums);

/* to[i] = the mean of samples[2 * i] and sums[i]. */
void dv__half_band_means(const float *samples, const float *sums, int64_t count, float *to);

/* Writes each sample and the sum that follows it. */
void dv__interleave(const float *samples, const float *sums, int64_t count, float *to);

/* to[i] = samples[i * step] */
void dv__take_every(int64_t step, const float *samples, int64_t count, float *to);

/* Deinterleaved samples: sample n is at (n % parts, n / parts). */
typedef struct dv__parts {
    const float *at; /* (parts, pitch) */
    int64_t parts, pitch;
} dv__parts;

/* to[i * stride] = the sum over k, in this order, of coefs[k] * sample (first + k + i * parts), for
   i < count. Coefficients of 0 are skipped. Up to DV__SIDE_BY_SIDE samples of each part are read
   beyond the last one. */
void dv__phase_sums(const float *coefs, int64_t taps, const dv__parts *samples, int64_t first,
                    int64_t count, int64_t stride, float *to);

/* Computes to (count), beginning with a sample of this phase, whose sum begins at `samples`. Each
   sum is taken in DV__SIDE_BY_SIDE interleaved sums, which are added at the end. */
void dv__row_sums(const dv__polyphase *filter, const float *samples, int64_t phase, int64_t count,
                  float *to);

/* The same for a filter with phases between its rows. */
void dv__interpolated_sums(const dv__polyphase *filter, const float *samples, int64_t phase,
                           int64_t count, float *to);

#endif
