/* Resumes a run: reads its configuration and state, and applies the changes that are allowed. */
#ifndef DV_TRAINING_RESUME_H
#define DV_TRAINING_RESUME_H

#include "frontends/model/checkpoint.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/run_folder.h"

typedef struct dv_resumed {
    dv_experiment experiment; /* experiment of the run, with the changes applied */
    dv_checkpoint checkpoint; /* state of the run; its file is NULL if the run ended before its
                                 first save, and begins again */
    int64_t epochs;           /* train.epochs before the changes */
    bool changed;             /* the changes have an effect */
} dv_resumed;

/* The present data of a resumed run, to compare with those of its state. */
typedef struct dv_resume_data {
    const dv_tree *labels;           /* DV_TREE_LIST */
    int64_t clips, sounds, teachers; /* marks, see dv_train_state */
    bool may_differ;                 /* other sounds under the same names are allowed */
} dv_resume_data;

/* Returns DV_EARG if `changes`, a map of sections, sets anything but train.epochs and the paths of
   data, noise and teachers, which may have moved. */
dv_status dv_resume_check(const dv_tree *changes);

/* Makes the changes that give a run the paths of `experiment`. The caller owns *changes. */
dv_status dv_resume_where(const dv_experiment *experiment, dv_tree **changes);

/* Reads the run in the folder. The paths and train.epochs of `given`, a complete configuration, are
   applied first, then `changes`. Either may be NULL. Returns DV_EARG if `given` differs from the
   run in anything else, else DV_EIO, DV_EFORMAT or DV_ECONFIG. A config.yaml that differs from the
   state gives a warning. Free *out with dv_resumed_free, also after a failure. */
dv_status dv_resume_read(dv_run_folder *folder, const dv_tree *changes, const dv_experiment *given,
                         dv_resumed *out);
void dv_resumed_free(dv_resumed *resumed);

/* Keep the measured algorithms of a GPU's libraries in the state, under "algorithms", and restore
   them before the trainer is made, so that a resumed run uses the same ones. */
dv_status dv_resume_keep_algorithms(dv_context *context, dv_tree *state);
dv_status dv_resume_follow_algorithms(const dv_resumed *resumed, dv_context *context);

/* Restores the state of the trainer. Returns DV_EARG if the data are not those with which the run
   began, or if the run is prolonged to an epoch that it has already done. */
dv_status dv_resume_restore(const dv_resumed *resumed, const dv_resume_data *data,
                            dv_run_folder *folder, dv_trainer *trainer);

#endif
