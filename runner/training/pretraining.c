/* The training before a training, in a run's folder of its own. */
#include "runner/training/pretraining.h"
#include "runner/experiment/run_folder.h"
#include "runner/training/resume.h"

/* Whether a run is done: it has its model and, unless it ended between the two and can go on from
   there, what is written behind it. The page is always, report.json last where there is any. */
static bool is_done(const char *folder)
{
    bool reported = dv_run_has(folder, "report.html") &&
                    (dv_run_has(folder, "report.json") || !dv_run_has(folder, "confusion.csv"));
    return dv_run_has(folder, "model.safetensors") &&
           (reported || !dv_run_has(folder, "last.safetensors"));
}

/* A run that is there goes on by its own configuration. The data may have moved since, so where
   they are is taken from the present one. */
dv_status dv_pretraining_run(const dv_training_request *later, const dv_experiment *experiment,
                             const char *folder)
{
    if (is_done(folder))
        return DV_OK;
    dv_experiment before;
    DV_TRY(dv_experiment_pretraining(experiment, &before));
    dv_tree *where; /* the data may have moved since */
    dv_status status = dv_resume_where(&before, &where);
    dv_training_request request = *later;
    request.experiment = dv_run_has_begun(folder) ? NULL : &before;
    request.changes = where;
    request.given = NULL;
    request.folder = folder;
    request.later = experiment;
    request.proposal = NULL;
    request.dot = "";
    request.step_dot = "";
    request.needs_test = false;
    dv_train_result result;
    if (status == DV_OK)
        status = dv_training_run(&request, &result);
    dv_tree_free(where);
    dv_experiment_free(&before);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "pretrain");
}
