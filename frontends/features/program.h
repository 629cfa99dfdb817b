/*
 * The front-end as statements of a program, for other runtimes. The steps are those of features.h,
 * computed in FP32.
 */
#ifndef DV_FEATURES_PROGRAM_H
#define DV_FEATURES_PROGRAM_H

#include "engine/program/program.h"
#include "frontends/features/features.h"

/*
 * Writes dv_frontend_prepare and dv_frontend_cut: from audio (batch, samples), of any number of
 * samples, to the window (batch, 1, dv_frontend_samples). The frames of the envelope by which a
 * word is found are always 25 ms long; dv_frontend_prepare makes them longer in clips of more than
 * 41 s.
 */
dv_value dv_frontend_write_window(const dv_frontend *frontend, dv_program *program, dv_value audio);

/* Writes dv_frontend_compute: from window (batch, 1, dv_frontend_samples) to features (batch, rows,
   frames). */
dv_value dv_frontend_write_features(const dv_frontend *frontend, dv_program *program,
                                    dv_value window);

/*
 * The same two steps for a caller that computes the bands of the whole clip itself. log_mel (batch,
 * n_mels, frames), of any number of frames, has the type's mel bands in decibels, 10 log10 of the
 * power, with frames as in features.h, before top_db. The samples are not prepared: the mean of the
 * clip stays in them. If the clip is longer than the window, the frames at the window's ends also
 * hold samples beside the window.
 */

/* DV_ECONFIG if the front-end has no mel bands, finds the word in the samples, or sets their
   level. */
dv_status dv_frontend_takes_log_mel(const dv_frontend *frontend);

/* Writes the step from log_mel to its part in the window (batch, n_mels, dv_frontend_frames).
   Outside the clip there is silence. */
dv_value dv_frontend_write_log_mel_window(const dv_frontend *frontend, dv_program *program,
                                          dv_value log_mel);

/* Writes the step from the window's part of log_mel to features (batch, rows, frames). */
dv_value dv_frontend_write_log_mel_features(const dv_frontend *frontend, dv_program *program,
                                            dv_value window);

#endif
