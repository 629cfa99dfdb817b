/*
 * Resampling of a sound that comes in pieces, from any rate to one rate.
 *
 * Frequencies up to 0.96 of half the lower rate keep their level within 0.0001. Frequencies above
 * 1.04 of it are at least 96 dB down; aliases lie between the two. There is no delay: sample n of
 * the result lies at sample n * from / to of the sound, exactly, at every pair of rates. The sound
 * is taken to be silent before its start and after its end.
 *
 * Each sample of the result is a sum in a fixed order. So neither the pieces in which a sound comes
 * nor the instruction set changes a bit of it.
 */
#ifndef DV_RESAMPLE_H
#define DV_RESAMPLE_H

#include "engine/base/status.h"

/* A resampler is for one thread at a time. It keeps the filters of the latest 8 rates that it
   resampled from. A sound at one of these rates allocates nothing. */
typedef struct dv_resampler dv_resampler;

/* Makes a resampler to `to` Hz. DV_EARG unless `to` is DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE. The
   caller frees *out with dv_resampler_free; *out is NULL on failure. */
dv_status dv_resampler_create(int64_t to, dv_resampler **out);
void dv_resampler_free(dv_resampler *resampler); /* does nothing for NULL */

int64_t dv_resampler_rate(const dv_resampler *resampler); /* the rate of the results, Hz */

/* Bytes of memory of a resampler. */
size_t dv_resampler_size(const dv_resampler *resampler);

/* Begins a sound at `from` Hz, DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE, and drops the rest of the
   sound before. After DV_EARG or DV_ENOMEM no sound has begun. */
dv_status dv_resampler_begin(dv_resampler *resampler, int64_t from);

/* Samples of the result that are still to come if the sound ends after `count` more samples. A push
   of `count` samples gives at most as many. */
int64_t dv_resampler_room(const dv_resampler *resampler, int64_t count);

/* Takes the next samples (count) of the sound, which must be finite. Writes the samples of the
   result that are complete by now, and returns their number. The result lags behind by about 80
   samples of the lower rate. */
int64_t dv_resampler_push(dv_resampler *resampler, const float *samples, int64_t count, float *out);

/* Ends the sound and writes the rest of the result, dv_resampler_room(resampler, 0) samples.
   Returns their number. The next call must be dv_resampler_begin. */
int64_t dv_resampler_end(dv_resampler *resampler, float *out);

/* The number of samples that `count` samples become, rounded to nearest, halves up. */
int64_t dv_resampled_length(int64_t from, int64_t to, int64_t count);

#endif
