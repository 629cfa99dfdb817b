/* What `train --auto` takes from the data: the sample rate and the duration of the clips that are
   trained on, and the front-end's sizes for these. */
#ifndef DV_TRAINING_PROPOSAL_H
#define DV_TRAINING_PROPOSAL_H

#include "runner/experiment/experiment.h"

enum { DV_PROPOSAL_SIZE = 512 };

/*
 * dv_experiment_read of `path` with `settings`, after the experiment's data were looked at. What
 * they propose of features.sample_rate, duration, n_fft, window, hop and fmax is set in `settings`
 * where that does not say it itself. The sizes last as long as those of the file do at the file's
 * own rate. `text`: the proposals with their reasons, a sentence a line.
 *
 * The rate is 16 kHz where 95 of 100 clips have it or a higher one, else 8 kHz: of what is above 8
 * kHz speech needs nothing. The duration is what 99 of 100 clips do not exceed, in steps of 0.1 s
 * from 1 to 3 s: in longer clips the window is put on the word (features.placement).
 */
dv_status dv_proposal_read(const char *path, dv_tree *settings, char text[DV_PROPOSAL_SIZE],
                           dv_experiment *out);

#endif
