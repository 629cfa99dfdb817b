/* The end of a training: writes the model, the report and the page. */
#include "engine/base/json.h"
#include "runner/evaluate/report_html.h"
#include "runner/training/training_internal.h"

#include <inttypes.h>
#include <string.h>

void dv__training_line(void *user, const char *line)
{
    dv_run_line(user, DV_LOG_INFO, line);
}

static dv_status write_page(const dv_training *training, const dv_report *report)
{
    const dv_html_run run = {.data = &training->experiment->data,
                             .look = &training->look,
                             .folder = &training->folder,
                             .device = training->device,
                             .threads = training->context->threads};
    return dv_report_html_run(report, &run);
}

static void report_text(const void *report, FILE *out)
{
    dv_report_text(report, out);
}

static dv_status write_files(dv_training *training, const dv_report *report)
{
    char path[DV_RUN_PATH_SIZE];
    DV_TRY(dv_run_tell_text(&training->folder, report_text, report));
    dv_run_folder_path(&training->folder, "confusion.csv", path);
    DV_TRY(dv_report_confusion_csv(report, path));
    DV_TRY(write_page(training, report));
    dv_run_folder_path(&training->folder, "report.json", path);
    return dv_json_write(path, dv_report_json(report, false)); /* last: it marks a finished run */
}

/* Writes the report of the test part, or of the validation part if there is no test part. Without
   either, only the page with the curves is written. */
static dv_status write_report(dv_training *training, const char *path)
{
    dv_model *model;
    const dv_context *context = training->context;
    const dv_algorithms algorithms = dv_trainer_context(training->trainer)->algorithms;
    const dv_model_options options = {.size = sizeof options,
                                      .device = training->device,
                                      .algorithms = dv_algorithms_to_answer_names[algorithms],
                                      .log = context->log.write,
                                      .log_user = context->log.user};
    DV_TRY(dv_model_open(path, &options, &model));
    dv_part part =
        dv_dataset_has(&training->dataset, DV_PART_TEST) ? DV_PART_TEST : DV_PART_VALIDATION;
    dv_report report = {.model = model, .part = part};
    dv_status status;
    if (dv_dataset_has(&training->dataset, part)) {
        dv_run_tell(&training->folder, "%s part:", dv_report_parts[part]);
        status = dv_report_make(model, context->threads, &training->dataset, part, &report);
        report.split = training->experiment->data.split;
        if (status == DV_OK)
            status = write_files(training, &report);
        training->result->is_test = part == DV_PART_TEST && report.count > 0;
        training->result->correct = dv_confusion_correct(&report.confusion);
        training->result->count = report.count;
        training->result->loss = report.loss;
    } else {
        dv_run_tell(&training->folder,
                    "there is no test or validation part, so there is no report but the curves");
        status = write_page(training, &report);
    }
    dv_report_free(&report);
    dv_model_close(model);
    return status;
}

/* Logs how many steps a recording device replayed, and writes the graph of a step if asked to. */
static void tell_of_recording(dv_training *training)
{
    const char *path = training->request->step_dot;
    const dv_log *log = &training->context->log;
    dv_train_counters counters = dv_trainer_counters(training->trainer);
    if (training->context->backend->capture != NULL)
        dv_run_tell(&training->folder,
                    "%" PRIu64 " steps replayed, %" PRIu64 " call by call; a recorded step has "
                    "%zu nodes",
                    counters.replays, counters.eager, counters.nodes);
    if (path[0] != '\0' && dv_trainer_recording_dot(training->trainer, path) != DV_OK)
        dv_log_write(log, DV_LOG_WARNING, "--step_dot: %s", dv_error_message());
}

dv_status dv__training_finish(dv_training *training)
{
    char path[DV_RUN_PATH_SIZE];
    dv_run_folder_path(&training->folder, "model.safetensors", path);
    DV_TRY(dv_checkpoint_write(path, dv_trainer_params(training->trainer),
                               training->experiment->tree, training->labels, NULL));
    const dv_train_state *state = dv_trainer_state_of(training->trainer);
    if (state->best_epoch > 0)
        dv_run_tell(&training->folder,
                    "best epoch %" PRId64 ": validation accuracy %.2f%%; its weights are kept",
                    state->best_epoch, 100 * state->best_accuracy);
    tell_of_recording(training);
    if (training->experiment->train.time_layers)
        dv_trainer_time_table(training->trainer, dv__training_line, &training->folder);
    dv_run_tell(&training->folder, "model: %s", path);
    return write_report(training, path);
}
