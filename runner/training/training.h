/* One training, from the data to the report: a function of its configuration, which prints nothing
   and returns its result. */
#ifndef DV_TRAINING_H
#define DV_TRAINING_H

#include "runner/experiment/experiment.h"
#include "runner/experiment/observer.h"

typedef struct dv_training_request {
    const dv_experiment *experiment; /* NULL: goes on with the run in `folder`, as that began */
    const dv_tree *changes;     /* to a run that is gone on with, see dv_resume_check; NULL: none */
    const dv_experiment *given; /* what such a run is taken to be, see dv_resume_read; NULL */
    bool changed_data;          /* goes on although its sounds are others under the same names */
    const char *folder;         /* of the run, see run_folder.h */
    bool strict;                /* DV_EFORMAT where anything is found in the data */
    const char *commit;         /* commit of the program; NULL stands for an unknown one */
    const char *proposal;       /* lines to begin the log with, see proposal.h; NULL: none */
    const char *device;         /* auto, cpu, cuda, cuda:N or ref */
    int threads;                /* 0: as many as there are physical cores */
    const char *dot;            /* file for the graph; "": none */
    const char *step_dot;       /* file for the step that a device has recorded; "": none */
    const dv_experiment *later; /* of a pretraining: the training that begins with its model, whose
                                   test and validation clips it must not hear; else NULL */
    bool needs_test; /* DV_EARG without a test part, in place of a report of the validation part */
    const dv_observer *observer; /* NULL: nobody watches */
} dv_training_request;

/*
 * Trains, and leaves in the folder what run_folder.h lists. What the section `pretrain` describes
 * is trained first, in the folder's `pretrain`; this training begins with the model that it leaves.
 * What it tells goes to the observer and into the log; what fails is in the log too. Trainings in
 * other folders may run at the same time, each in a thread of its own.
 *
 * DV_EINTERRUPTED: the observer has made it pause, and it has saved. *out then says how far it
 * came.
 */
dv_status dv_training_run(const dv_training_request *request, dv_train_result *out);

#endif
