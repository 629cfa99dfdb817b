/* Going on with a run: its configuration and state, and the little of it that may change. */
#ifndef DV_TRAINING_RESUME_H
#define DV_TRAINING_RESUME_H

#include "frontends/model/checkpoint.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/run_folder.h"

typedef struct dv_resumed {
    dv_experiment experiment; /* the run's, with the changes laid over it */
    dv_checkpoint checkpoint; /* the run's state; file NULL: it ended before it was saved, and
                                 begins again */
    int64_t epochs;           /* that the run was to have before the changes */
    bool changed;             /* the changes make a difference */
} dv_resumed;

/* What a run that goes on finds in its data. */
typedef struct dv_resume_data {
    const dv_tree *labels;           /* DV_TREE_LIST */
    int64_t clips, sounds, teachers; /* dv_train_state's */
    bool may_differ;                 /* the sounds, under the same names */
} dv_resume_data;

/* DV_EARG where `changes` (a map of sections) sets anything but where data lie and
   train.epochs. */
dv_status dv_resume_check(const dv_tree *changes);

/* The changes that say where `experiment` has its data: *changes owned by the caller. */
dv_status dv_resume_where(const dv_experiment *experiment, dv_tree **changes);

/* Reads the run in the folder and lays over its configuration what `given`, a whole one, says of
   places and train.epochs, and then `changes`. Either may be NULL. DV_EARG where `given` differs in
   anything else. A config.yaml that says otherwise than the state is told of. DV_EIO, DV_EFORMAT,
   DV_ECONFIG. Free with dv_resumed_free, on failure too. */
dv_status dv_resume_read(dv_run_folder *folder, const dv_tree *changes, const dv_experiment *given,
                         dv_resumed *out);
void dv_resumed_free(dv_resumed *resumed);

/* The algorithms of a GPU's libraries that the context has measured go into the state, under
   "algorithms", and come from there before the trainer is made: a run that goes on computes by the
   same ones. */
dv_status dv_resume_keep_algorithms(dv_context *context, dv_tree *state);
dv_status dv_resume_follow_algorithms(const dv_resumed *resumed, dv_context *context);

/* Brings the state into the trainer. DV_EARG where the data are not those that the run began with,
   and where there are no epochs left to do. */
dv_status dv_resume_restore(const dv_resumed *resumed, const dv_resume_data *data,
                            dv_run_folder *folder, dv_trainer *trainer);

#endif
