/* Shared by training.c (setting up, the run) and finish.c (the model and the report). */
#ifndef DV_TRAINING_INTERNAL_H
#define DV_TRAINING_INTERNAL_H

#include "engine/backends/open.h"
#include "frontends/batch/source.h"
#include "runner/experiment/run_folder.h"
#include "runner/training/resume.h"
#include "runner/training/teachers.h"
#include "runner/training/training.h"

/* One training while it runs. */
typedef struct dv_training {
    const dv_training_request *request;
    dv_observer observer; /* the request's, or one without functions */
    dv_train_result *result;
    char device[DV_STRING_SIZE];
    const dv_experiment *experiment;   /* the request's, or that of `resumed` */
    char pretrained[DV_RUN_PATH_SIZE]; /* model of the pretraining; empty if there was none */
    dv_resumed resumed;                /* the run to resume */
    dv_run_folder folder;
    dv_context *context;
    dv_dataset dataset;
    dv_look look; /* faults in the data */
    dv_frontend *frontend;
    dv_clip_source *source;
    dv_teachers teachers;
    dv_tree *labels;
    dv_resume_data data;
    dv_trainer *trainer;
} dv_training;

/* Writes a line of a table to the log. `user` is the dv_run_folder. */
void dv__training_line(void *user, const char *line);

/* Writes the model, and the report of the test part, or of the validation part if there is none. */
dv_status dv__training_finish(dv_training *training);

#endif
