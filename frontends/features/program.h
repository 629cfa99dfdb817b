/*
 * The front-end as statements of a program, for other runtimes: the same steps as in features.h,
 * computed in FP32.
 */
#ifndef DV_FEATURES_PROGRAM_H
#define DV_FEATURES_PROGRAM_H

#include "engine/program/program.h"
#include "frontends/features/features.h"

/*
 * What dv_frontend_prepare and dv_frontend_cut do: audio (batch, samples), of any number of
 * samples, to the window (batch, 1, dv_frontend_samples). The envelope by which a word is found has
 * frames of 25 ms always; dv_frontend_prepare makes them longer in clips of more than 41 s.
 */
dv_value dv_frontend_write_window(const dv_frontend *frontend, dv_program *program, dv_value audio);

/* What dv_frontend_compute does: window (batch, 1, dv_frontend_samples) to features (batch, rows,
   frames). */
dv_value dv_frontend_write_features(const dv_frontend *frontend, dv_program *program,
                                    dv_value window);

/*
 * The same two steps where something else computes the bands of the whole clip: log_mel (batch,
 * n_mels, frames), of any number of frames, has the type's mel bands in decibels, 10 log10 of the
 * power, with frames as in features.h, before top_db. What is done to samples is not done: the mean
 * of the clip stays in them. Where the clip is longer than the window, the frames at the window's
 * ends hold what lies beside it.
 */

/* DV_ECONFIG: the front-end has no mel bands, or does more to samples: finds the word in them, or
   sets their level. */
dv_status dv_frontend_takes_log_mel(const dv_frontend *frontend);

/* log_mel to the window's part of it (batch, n_mels, dv_frontend_frames). Outside the clip there is
   silence. */
dv_value dv_frontend_write_log_mel_window(const dv_frontend *frontend, dv_program *program,
                                          dv_value log_mel);

/* The window's part of log_mel to features (batch, rows, frames). */
dv_value dv_frontend_write_log_mel_features(const dv_frontend *frontend, dv_program *program,
                                            dv_value window);

#endif
