/* decavox data: looks at a data set, and shows it as text, as JSON or as a page. */
#include "runner/cli/command.h"
#include "engine/base/json.h"
#include "runner/data/data_summary.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/output.h"

#include <string.h>

typedef struct data_options {
    int format;
    char html[DV_STRING_SIZE];
    bool strict, force;
} data_options;

static const dv_field fields[] = {
    DV_ENUM(data_options, format, "text", dv_format_names, "form of the output"),
    DV_PATH(data_options, html, "",
            "write a page to this file too, with pictures and with clips to listen to"),
    DV_BOOL(data_options, strict, "false", "end with exit code 1 if the checks find anything"),
    DV_OUTPUT_FORCE(data_options),
    DV_END,
};

static const dv_setting settings[] = {
    {"split", "data.split", NULL, DV_SPLIT_HELP},
    {"layout", "data.layout", NULL, "meaning of a folder's names"},
    {"exclude", "data.exclude", NULL, "CSV file whose first column names clips to leave out"},
    {"sample_rate", "features.sample_rate", NULL, "sample rate of the model, Hz"},
    {"duration", "features.duration", NULL, "window of the model, s"},
    {"batch_size", "train.batch_size", NULL, "clips per step of the training"},
    {NULL, NULL, NULL, NULL},
};

static const char *const examples[] = {
    "decavox data recordings",
    "decavox data recordings --split speaker --html data.html",
    NULL,
};

static const dv_options options = {
    .command = "data",
    .brief = "shows what a data set holds and what is wrong with it",
    .operands = "PATH",
    .summary = "Looks at a data set, a folder or a manifest, as a training does before it begins. "
               "Shows durations, sample rates, levels, the clips of each class, speaker and part, "
               "and what is probably wrong.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .fields = fields,
    .settings = settings,
    .field_of = dv_experiment_field,
};

/* The parts of the view of a data set. */
typedef struct data_view {
    data_options chosen;
    dv_experiment experiment;
    dv_dataset dataset;
    dv_look look;
    dv_data_summary summary;
} data_view;

static dv_status check_outputs(const data_view *view, const char *path)
{
    dv_outputs outputs = {.list = {{"--html", view->chosen.html, DV_OUTPUT_HTML}},
                          .count = 1,
                          .force = view->chosen.force};
    DV_TRY(dv_outputs_spare(&outputs, "the data", path));
    DV_TRY(dv_outputs_spare_tree(&outputs, view->experiment.tree));
    return dv_outputs_check(&outputs);
}

static dv_status set_path(dv_data_config *data, const char *path)
{
    if (strlen(path) >= sizeof data->path)
        return DV_FAIL(DV_EARG, "the path '%.40s...' is too long", path);
    strcpy(data->path, path);
    return DV_OK;
}

static dv_status print_json(const dv_data_summary *summary)
{
    json_t *json = dv_data_json(summary);
    dv_status status = dv_json_print(json, stdout);
    json_decref(json);
    return status;
}

static dv_status look(data_view *view, const dv_arguments *arguments)
{
    const char *path = arguments->operands[0];
    dv_log log = dv_command_log();
    DV_TRY(dv_experiment_without_model(arguments->overrides, &view->experiment));
    DV_TRY(set_path(&view->experiment.data, path));
    DV_TRY(check_outputs(view, path));
    DV_TRY(dv_dataset_prepare(&view->experiment.data, &view->dataset));
    const dv_look_config config = dv_experiment_look(&view->experiment);
    DV_TRY(dv_dataset_look(&view->dataset, NULL, &config, &log, &view->look));
    DV_TRY(dv_data_summarize(&view->experiment.data, &view->dataset, &view->look, &view->summary));
    if (view->chosen.html[0] != '\0')
        DV_TRY(dv_data_html(&view->summary, view->chosen.html));
    if (view->chosen.format == DV_FORMAT_JSON)
        DV_TRY(print_json(&view->summary));
    else
        dv_data_text(&view->summary, stdout);
    return view->chosen.strict ? dv_look_fail(&view->look) : DV_OK;
}

static int run(int argc, char **argv)
{
    data_view view = {0};
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &view.chosen, &arguments, &exit_code))
        return exit_code;
    dv_status status = look(&view, &arguments);
    dv_arguments_free(&arguments);
    dv_data_summary_free(&view.summary);
    dv_look_free(&view.look);
    dv_dataset_free(&view.dataset);
    dv_experiment_free(&view.experiment);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("data", status);
}

const dv_command dv_command_data = {&options, run};
