/* The proposals of `train --auto`: sample rate and duration, taken from the training clips, and the
   sizes of the front-end for these. */
#ifndef DV_TRAINING_PROPOSAL_H
#define DV_TRAINING_PROPOSAL_H

#include "runner/experiment/experiment.h"

enum { DV_PROPOSAL_SIZE = 512 };

/*
 * Like dv_experiment_read of `path` with `settings`, but first looks at the experiment's data and
 * adds proposals to `settings` for features.sample_rate, duration, n_fft, window, hop and fmax.
 * Keys that `settings` already has stay. The sizes keep the duration that they have at the file's
 * own rate. `text` gets the proposals with their reasons, one sentence per line.
 *
 * The rate is 16 kHz if at least 95 % of the training clips have that rate or a higher one, else 8
 * kHz; speech needs nothing above 8 kHz. The duration is the shortest, in steps of 0.1 s from 1 to
 * 3 s, that 99 % of the clips do not exceed; in longer clips the window is placed on the word
 * (features.placement).
 */
dv_status dv_proposal_read(const char *path, dv_tree *settings, char text[DV_PROPOSAL_SIZE],
                           dv_experiment *out);

#endif
