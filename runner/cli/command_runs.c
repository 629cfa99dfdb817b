/* decavox runs: lists the runs of a folder, best first, as text, as JSON or as a page. */
#include "engine/base/json.h"
#include "runner/cli/command.h"
#include "runner/experiment/output.h"
#include "runner/runs/runs.h"

typedef struct runs_options {
    int format;
    char html[DV_STRING_SIZE];
    bool force;
} runs_options;

static const dv_field fields[] = {
    DV_ENUM(runs_options, format, "text", dv_format_names, "form of the output"),
    DV_PATH(runs_options, html, "",
            "write a page to this file too, with links to the reports of the runs"),
    DV_OUTPUT_FORCE(runs_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox runs",
    "decavox runs runs --html runs/index.html",
    NULL,
};

static const dv_options options = {
    .command = "runs",
    .brief = "lists the runs of a folder, the best one first",
    .operands = "[FOLDER]",
    .summary = "Lists the runs in FOLDER (default runs) and in the folders below it by their "
               "report.json files, the best one first. Accuracies on different clips are never "
               "compared, so runs on the same clips stand together. Nothing is measured.",
    .examples = examples,
    .least = 0,
    .most = 1,
    .fields = fields,
};

static dv_status show(const runs_options *chosen, const dv_run_list *list)
{
    if (chosen->html[0] != '\0')
        DV_TRY(dv_runs_html(list, chosen->html));
    if (chosen->format == DV_FORMAT_TEXT) {
        dv_runs_text(list, stdout);
        return DV_OK;
    }
    json_t *json = dv_runs_json(list);
    dv_status status = dv_json_print(json, stdout);
    json_decref(json);
    return status;
}

static int run(int argc, char **argv)
{
    runs_options chosen;
    dv_arguments arguments;
    dv_run_list list = {.count = 0};
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    const dv_outputs outputs = {
        .list = {{"--html", chosen.html, DV_OUTPUT_HTML}}, .count = 1, .force = chosen.force};
    dv_status status = dv_outputs_check(&outputs);
    if (status == DV_OK)
        status = dv_runs_read(arguments.count == 1 ? arguments.operands[0] : "runs", &list);
    if (status == DV_OK)
        status = show(&chosen, &list);
    dv_runs_free(&list);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("runs", status);
}

const dv_command dv_command_runs = {&options, run};
