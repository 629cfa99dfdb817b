/* The pretraining: the training that the section `pretrain` of a configuration describes. */
#ifndef DV_TRAINING_PRETRAINING_H
#define DV_TRAINING_PRETRAINING_H

#include "runner/experiment/experiment.h"
#include "runner/training/training.h"

/* Begins or resumes the run in `folder`, or does nothing if it is done. `later` and `experiment`
   belong to the training that follows. The message of a failure begins with "pretrain". */
dv_status dv_pretraining_run(const dv_training_request *later, const dv_experiment *experiment,
                             const char *folder);

#endif
