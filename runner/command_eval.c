#include "runner/command.h"
#include "runner/experiment.h"
#include "runner/report.h"

#include <string.h>

static const char *const part_names[] = {"train", "validation", "test", "all", NULL};

typedef struct eval_options {
    int format, part;
    char device[DV_STRING_SIZE];
    int64_t threads;
    char data[DV_STRING_SIZE], split[DV_STRING_SIZE], exclude[DV_STRING_SIZE];
    bool clips;
} eval_options;

static const dv_field fields[] = {
    DV_STRING(eval_options, data, "", "folder or manifest; default: the one it was trained on"),
    DV_STRING(eval_options, split, "",
              "official, random, speaker, train, fold:I/K or leave_one_out:NAME; default: as it "
              "was trained"),
    DV_STRING(eval_options, exclude, "",
              "CSV file whose first column names clips to leave out; default: as it was trained, "
              "unless there is --data"),
    DV_ENUM(eval_options, part, "test", part_names, "which part of the split"),
    DV_ENUM(eval_options, format, "text", dv_format_names, "output"),
    DV_BOOL(eval_options, clips, "false", "with --format json: the answer to every clip too"),
    DV_STRING(eval_options, device, "auto", "auto, cpu, cuda, cuda:N or ref"),
    DV_INT(eval_options, threads, "0", 0, 1024, "0: as many as there are physical cores"),
    DV_END,
};

static const dv_options options = {
    .command = "eval",
    .operands = "CHECKPOINT",
    .summary = "Prints accuracy with a 95 % Wilson interval, precision and recall per class, and "
               "the confusion matrix.",
    .least = 1,
    .most = 1,
    .fields = fields,
};

/* The data section of the checkpoint's configuration with what the command line says instead. The
   further data that it was trained on are not evaluated. */
static dv_status data_config(const dv_predictor *predictor, const eval_options *chosen,
                             dv_data_config *data)
{
    dv_experiment experiment;
    DV_TRY(dv_experiment_restore(dv_predictor_checkpoint(predictor)->config, &experiment));
    *data = experiment.data;
    data->more = NULL;
    dv_experiment_free(&experiment);
    if (chosen->data[0] != '\0') {
        memcpy(data->path, chosen->data, sizeof data->path);
        data->exclude[0] = '\0';
    }
    if (chosen->split[0] != '\0')
        memcpy(data->split, chosen->split, sizeof data->split);
    if (chosen->exclude[0] != '\0')
        memcpy(data->exclude, chosen->exclude, sizeof data->exclude);
    if (chosen->part == DV_PART_COUNT) /* all of it: needs no split */
        strcpy(data->split, "train");
    return DV_OK;
}

static dv_status print_report(const dv_report *report, const eval_options *chosen)
{
    if (chosen->format == DV_FORMAT_TEXT) {
        dv_report_text(report, stdout);
        return DV_OK;
    }
    json_t *json = dv_report_json(report, chosen->clips);
    if (json == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the report");
    json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
    return DV_OK;
}

static dv_status evaluate(dv_predictor *predictor, const eval_options *chosen)
{
    dv_data_config data;
    DV_TRY(data_config(predictor, chosen, &data));
    dv_dataset dataset;
    DV_TRY(dv_dataset_prepare(&data, &dataset));
    dv_log log = dv_command_log();
    dv_status status =
        dv_dataset_load(&dataset, dv_predictor_frontend(predictor), data.max_seconds, &log);
    dv_report report;
    if (status == DV_OK) {
        status = dv_report_make(predictor, &dataset, (dv_part)chosen->part, &report);
        if (status == DV_OK) {
            status = print_report(&report, chosen);
            dv_report_free(&report);
        }
    }
    dv_dataset_free(&dataset);
    return status;
}

int dv_command_eval(int argc, char **argv)
{
    eval_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_predictor *predictor;
    dv_status status = dv_predictor_load(arguments.operands[0], chosen.device, (int)chosen.threads,
                                         dv_command_log(), &predictor);
    if (status == DV_OK) {
        status = evaluate(predictor, &chosen);
        dv_predictor_free(predictor);
    }
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("eval", status);
}
