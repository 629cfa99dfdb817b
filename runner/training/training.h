/* One training, from the data to the report: all that `train` does behind its command line. */
#ifndef DV_TRAINING_H
#define DV_TRAINING_H

#include "runner/experiment/experiment.h"

typedef struct dv_training_request {
    const dv_experiment *experiment; /* NULL: goes on with the run in `folder`, as that began */
    const dv_tree *changes;     /* to a run that is gone on with, see dv_resume_check; NULL: none */
    bool changed_data;          /* goes on although its sounds are others under the same names */
    const char *folder;         /* of the run, see run_folder.h */
    bool strict;                /* DV_EFORMAT where anything is found in the data */
    const char *proposal;       /* lines to begin the log with, see proposal.h; NULL: none */
    const char *device;         /* auto, cpu, cuda, cuda:N or ref */
    int threads;                /* 0: as many as there are physical cores */
    const char *dot;            /* file for the graph; "": none */
    const char *step_dot;       /* file for the step that a device has recorded; "": none */
    const dv_experiment *later; /* of a pretraining: the training that begins with its model, whose
                                   test and validation clips it must not hear; else NULL */
    bool needs_test; /* DV_EARG without a test part, in place of a report of the validation part */
} dv_training_request;

/*
 * Trains, and leaves in the folder what run_folder.h lists. What the section `pretrain` describes
 * is trained first, in the folder's `pretrain`; this training begins with the model that it leaves.
 * Prints to standard output and the log; what fails is in the log too. From where the training
 * begins, the signals of stop.h make it save and return DV_EINTERRUPTED.
 */
dv_status dv_training_run(const dv_training_request *request);

#endif
