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

#endif
