/* The training before a training, as the section `pretrain` of the configuration describes it. */
#ifndef DV_TRAINING_PRETRAINING_H
#define DV_TRAINING_PRETRAINING_H

#include "runner/experiment/experiment.h"
#include "runner/training/training.h"

/* Makes the run in `folder`: begins it, goes on with it, or leaves it as it is where it is done.
   `later` and `experiment` are those of the training that comes after it. The message of a failure
   begins with "pretrain". */
dv_status dv_pretraining_run(const dv_training_request *later, const dv_experiment *experiment,
                             const char *folder);

#endif
