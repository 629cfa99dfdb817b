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

/* Everything that the report of this training tells besides its figures. */
static dv_status collect_facts(const dv_training *training, const dv_model *model,
                               dv_run_facts *out)
{
    const dv_train_state *state = dv_trainer_state_of(training->trainer);
    *out = (dv_run_facts){.experiment = training->experiment,
                          .folder = &training->folder,
                          .device = training->device,
                          .precision = dv_trainer_products(training->trainer),
                          .commit = training->request->commit,
                          .threads = training->context->threads,
                          .parameters = dv_model_parameters(model),
                          .epochs = state->epoch,
                          .best_epoch = state->best_epoch,
                          .best_accuracy = state->best_accuracy,
                          .best_loss = state->best_loss};
    return dv_run_facts_complete(out);
}

static void report_text(const void *report, FILE *out)
{
    dv_report_text(report, out);
}

static dv_status write_files(dv_training *training, const dv_report *report,
                             const dv_run_facts *facts)
{
    char path[DV_RUN_PATH_SIZE];
    DV_TRY(dv_run_tell_text(&training->folder, report_text, report));
    dv_run_folder_path(&training->folder, "confusion.csv", path);
    DV_TRY(dv_report_confusion_csv(report, path));
    DV_TRY(dv_run_facts_events(facts, report, &training->folder));
    DV_TRY(dv_report_html_run(report, facts, &training->look));
    json_t *json = dv_report_json(report, false);
    if (json_object_set_new(json, "run", dv_run_facts_json(facts)) != 0) {
        json_decref(json);
        json = NULL; /* dv_json_write fails with DV_ENOMEM */
    }
    dv_run_folder_path(&training->folder, "report.json", path);
    return dv_json_write(path, json); /* last: it marks a finished run */
}

/* Answers a part of the data that has clips, writes all files of the report, and hands its figures
   to the caller. */
static dv_status report_part(dv_training *training, dv_model *model, const dv_run_facts *facts,
                             dv_part part)
{
    dv_report report;
    dv_run_tell(&training->folder, "%s part:", dv_report_parts[part]);
    DV_TRY(dv_report_make(model, training->context->threads, &training->dataset, part, &report));
    report.split = training->experiment->data.split;
    dv_status status = write_files(training, &report, facts);
    training->result->is_test = part == DV_PART_TEST;
    training->result->correct = dv_confusion_correct(&report.confusion);
    training->result->count = report.count;
    training->result->loss = report.loss;
    dv_report_free(&report);
    return status;
}

/* The report is of the test part, else of the validation part. Without either there is no figure to
   write down, but the curves. */
static dv_status write_report(dv_training *training, dv_model *model)
{
    dv_run_facts facts;
    dv_part part =
        dv_dataset_has(&training->dataset, DV_PART_TEST) ? DV_PART_TEST : DV_PART_VALIDATION;
    dv_status status = collect_facts(training, model, &facts);
    if (status == DV_OK && dv_dataset_has(&training->dataset, part)) {
        status = report_part(training, model, &facts, part);
    } else if (status == DV_OK) {
        const dv_report none = {.model = model, .part = part, .dataset = &training->dataset};
        dv_run_tell(&training->folder,
                    "there is no test or validation part, so there is no report but the curves");
        status = dv_report_html_run(&none, &facts, &training->look);
    }
    dv_run_facts_free(&facts);
    return status;
}

/* Opens the model that was written, on the device of the training. */
static dv_status report_model(dv_training *training, const char *path)
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
    dv_status status = write_report(training, model);
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
    return report_model(training, path);
}
