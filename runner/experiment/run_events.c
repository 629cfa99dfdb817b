/* The event files of a run: the epochs, the configuration and the result for TensorBoard. */
#include "runner/experiment/run_folder.h"
#include "engine/base/folder.h"

#include <dirent.h>
#include <math.h>

/* The files of training and validation lie in folders of their own, for TensorBoard takes a folder
   for a run, and draws what has the same tag in several runs in one chart. */
static dv_status open_events(dv_run_folder *folder, int which, int64_t first_step)
{
    static const char *const names[] = {
        [DV_EVENTS_RUN] = ".", [DV_EVENTS_TRAIN] = "train", [DV_EVENTS_VALIDATION] = "validation"};
    char path[DV_RUN_PATH_SIZE];
    if (folder->events[which] != NULL)
        return DV_OK;
    dv_run_folder_path(folder, names[which], path);
    DV_TRY(dv_make_folders(path));
    return dv_events_open(which == DV_EVENTS_RUN ? folder->path : path, first_step,
                          &folder->events[which]);
}

/* The file of the run's folder begins with the configuration. */
static dv_status open_run(dv_run_folder *folder, const dv_tree *config, int64_t first_step)
{
    if (folder->events[DV_EVENTS_RUN] != NULL)
        return DV_OK;
    DV_TRY(open_events(folder, DV_EVENTS_RUN, first_step));
    DV_TRY(dv_events_begin_hparams(folder->events[DV_EVENTS_RUN], config));
    return dv_events_flush(folder->events[DV_EVENTS_RUN]);
}

static dv_status flush(const dv_run_folder *folder)
{
    for (int which = 0; which < DV_RUN_EVENTS; which++) {
        if (folder->events[which] != NULL)
            DV_TRY(dv_events_flush(folder->events[which]));
    }
    return DV_OK;
}

/* Values that are not known are left out, and so is a loss scale of 1. */
dv_status dv_run_events_add(dv_run_folder *folder, const dv_tree *config,
                            const dv_epoch_metrics *metrics)
{
    const struct {
        int which;
        const char *tag;
        double value;
    } scalars[] = {
        {DV_EVENTS_TRAIN, "loss", metrics->train_loss},
        {DV_EVENTS_TRAIN, "accuracy", metrics->train_accuracy},
        {DV_EVENTS_VALIDATION, "loss", metrics->validation_loss},
        {DV_EVENTS_VALIDATION, "accuracy", metrics->validation_accuracy},
        {DV_EVENTS_TRAIN, "learning_rate", metrics->learning_rate},
        {DV_EVENTS_TRAIN, "gradient_norm", metrics->gradient_norm},
        {DV_EVENTS_TRAIN, "loss_scale", metrics->loss_scale > 1 ? metrics->loss_scale : NAN},
    };
    DV_TRY(open_run(folder, config, metrics->epoch));
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        if (isnan(scalars[i].value))
            continue;
        DV_TRY(open_events(folder, scalars[i].which, metrics->epoch));
        DV_TRY(dv_events_add(folder->events[scalars[i].which], metrics->epoch, scalars[i].tag,
                             scalars[i].value));
    }
    return flush(folder);
}

/* Whether an earlier process has left event files in a folder. */
static bool has_events(const char *folder)
{
    DIR *directory = opendir(folder);
    bool found = false;
    if (directory == NULL)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;)
        found = dv_run_is_events(entry->d_name);
    closedir(directory);
    return found;
}

/* A process that was killed before it wrote report.json may have left the result at the same step.
   The session of this process, which has done no epoch, begins there and ends that result. The
   configuration, at step 0, stays and is not written again. The epochs are in other folders. */
dv_status dv_run_events_end(dv_run_folder *folder, const dv_tree *config,
                            const dv_run_result *result)
{
    if (folder->events[DV_EVENTS_RUN] == NULL && dv_run_has(folder->path, "report.json"))
        return DV_OK;
    if (folder->events[DV_EVENTS_RUN] == NULL && has_events(folder->path))
        DV_TRY(open_events(folder, DV_EVENTS_RUN, result->epochs));
    DV_TRY(open_run(folder, config, result->epochs));
    dv_events *events = folder->events[DV_EVENTS_RUN];
    for (size_t i = 0; i < result->count; i++)
        DV_TRY(
            dv_events_add(events, result->epochs, result->scores[i].tag, result->scores[i].value));
    DV_TRY(dv_events_add_text(events, result->epochs, "confusion_matrix", result->matrix));
    DV_TRY(dv_events_end_hparams(events));
    return flush(folder);
}

void dv_run_events_close(dv_run_folder *folder)
{
    for (int which = 0; which < DV_RUN_EVENTS; which++) {
        dv_events_close(folder->events[which]);
        folder->events[which] = NULL;
    }
}
