/* Runs the pretraining in a run's folder of its own. */
#include "runner/training/pretraining.h"
#include "runner/experiment/run_folder.h"
#include "runner/training/resume.h"

/* Whether a run is done: it has a model, and either its reports or no state to resume from. The
   page is written always, and report.json last if there is a confusion matrix. */
static bool is_done(const char *folder)
{
    bool reported = dv_run_has(folder, "report.html") &&
                    (dv_run_has(folder, "report.json") || !dv_run_has(folder, "confusion.csv"));
    return dv_run_has(folder, "model.safetensors") &&
           (reported || !dv_run_has(folder, "last.safetensors"));
}

/* A run that has begun is resumed with its own configuration, except for the paths of the data,
   which come from `experiment` because the data may have moved. */
dv_status dv_pretraining_run(const dv_training_request *later, const dv_experiment *experiment,
                             const char *folder)
{
    if (is_done(folder))
        return DV_OK;
    dv_experiment before;
    DV_TRY(dv_experiment_pretraining(experiment, &before));
    dv_tree *where;
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
