/*
 * Resampling of a sound that comes in pieces, to one rate from any.
 *
 * Up to 0.96 of half the lower rate a sound stays as it is, within 0.0001. What lies above 1.04 of
 * it is gone, at least 96 dB down; what is folded about half the lower rate falls between the two.
 * Nothing is late or early: sample n of the result lies at sample n * from / to of the sound, to
 * the last digit at every pair of rates. Before a sound and behind it lies silence.
 *
 * Each sample of the result is a sum in an order of its own. So the pieces in which a sound comes
 * change no bit of it, and nor does the instruction set.
 */
#ifndef DV_RESAMPLE_H
#define DV_RESAMPLE_H

#include "engine/base/status.h"

/* For one thread at a time. It keeps the filters of the latest 8 rates that it resampled from. Once
   a rate is among them nothing is allocated. */
typedef struct dv_resampler dv_resampler;

/* To `to` Hz, DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE, which else is DV_EARG. The caller frees it
   with dv_resampler_free; on failure it is NULL. */
dv_status dv_resampler_create(int64_t to, dv_resampler **out);
void dv_resampler_free(dv_resampler *resampler); /* NULL: nothing */

int64_t dv_resampler_rate(const dv_resampler *resampler); /* what it resamples to, Hz */

/* Bytes that it holds. */
size_t dv_resampler_size(const dv_resampler *resampler);

/* Begins a sound at `from` Hz, DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE; what was left of the one
   before is forgotten. DV_EARG, DV_ENOMEM: no sound has begun. */
dv_status dv_resampler_begin(dv_resampler *resampler, int64_t from);

/* Samples that are still to come of the sound if it ends after `count` more. A push of so many
   gives no more than that. */
int64_t dv_resampler_room(const dv_resampler *resampler, int64_t count);

/* Takes the next samples (count) of the sound, finite numbers, and gives what can be told by now;
   returns how many that are. The result lags behind by about 80 samples of the lower rate. */
int64_t dv_resampler_push(dv_resampler *resampler, const float *samples, int64_t count, float *out);

/* Ends the sound and gives the rest of it: dv_resampler_room(resampler, 0) samples, which it
   returns. The next call is dv_resampler_begin. */
int64_t dv_resampler_end(dv_resampler *resampler, float *out);

/* Samples that `count` become: the nearest whole number, of two the larger. */
int64_t dv_resampled_length(int64_t from, int64_t to, int64_t count);

#endif
