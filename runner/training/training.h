/* One training, from the data to the report. It prints nothing and returns its result. */
#ifndef DV_TRAINING_H
#define DV_TRAINING_H

#include "runner/experiment/experiment.h"
#include "runner/experiment/observer.h"

typedef struct dv_training_request {
    const dv_experiment *experiment; /* NULL resumes the run in `folder` */
    const dv_tree *changes; /* changes to a resumed run, see dv_resume_check; may be NULL */
    const dv_experiment
        *given;           /* configuration of a resumed run, see dv_resume_read; may be NULL */
    bool changed_data;    /* resumes a run even if its sounds have changed */
    const char *folder;   /* folder of the run, see run_folder.h */
    bool strict;          /* fails with DV_EFORMAT if the data have any fault */
    const char *commit;   /* commit of the program; NULL stands for an unknown one */
    const char *proposal; /* first lines of the log, see proposal.h; may be NULL */
    const char *device;   /* auto, cpu, cuda, cuda:N or ref */
    int threads;          /* 0 is one per physical core */
    const char *dot;      /* file for the graph; empty if not wanted */
    const char *step_dot; /* file for the recorded step of a device; empty if not wanted */
    const dv_experiment *later; /* for a pretraining, the training that follows: its test and
                                   validation clips are left out; else NULL */
    bool needs_test; /* fails with DV_EARG without a test part, instead of reporting validation */
    const dv_observer *observer; /* may be NULL */
} dv_training_request;

/*
 * Trains, and writes the files of run_folder.h into the folder. A section `pretrain` is trained
 * first, in the folder's `pretrain`, and this training begins with the model of that one. Messages
 * go to the observer and the log; a failure is logged too. Trainings in other folders may run at
 * the same time, each in a thread of its own.
 *
 * Returns DV_EINTERRUPTED if the observer has paused the training. The state is saved then, and
 * *out tells how far it got.
 */
dv_status dv_training_run(const dv_training_request *request, dv_train_result *out);

#endif
