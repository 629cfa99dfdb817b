/* decavox eval: evaluates a checkpoint on data, and on request once more with noise. */
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/evaluate/evaluation.h"
#include "runner/evaluate/noise_curve.h"
#include "runner/evaluate/report_html.h"
#include "runner/experiment/output.h"

#include <stdlib.h>
#include <string.h>

typedef struct eval_options {
    int format, part, precision, algorithms;
    char device[DV_STRING_SIZE];
    int64_t threads, allow_missing;
    char data[DV_STRING_SIZE], split[DV_STRING_SIZE], exclude[DV_STRING_SIZE];
    bool clips;
    char out[DV_STRING_SIZE];
    char noise[DV_STRING_SIZE], snr[DV_STRING_SIZE];
    int64_t noise_seed;
    char html[DV_STRING_SIZE];
    bool force;
} eval_options;

static const dv_field fields[] = {
    DV_PATH(eval_options, data, "",
            "folder or manifest; default: the data that the model was trained on"),
    DV_STRING(eval_options, split, "", DV_SPLIT_HELP "; default: the split of the training"),
    DV_PATH(eval_options, exclude, "",
            "CSV file whose first column names clips to leave out; default: the training's, unless "
            "there is --data"),
    DV_ENUM(eval_options, part, "test", dv_report_parts, "part of the split to measure"),
    DV_INT(eval_options, allow_missing, "0", 0, 1000000000,
           "number of unreadable clips of the part above which the exit code is 1"),
    DV_ENUM(eval_options, format, "text", dv_format_names, "form of the output"),
    DV_BOOL(eval_options, clips, "false", "give the answer to every clip too (JSON)"),
    DV_PATH(eval_options, out, "", "write the evaluation as JSON to this file too"),
    DV_PATH(eval_options, noise, "",
            "also evaluate with noise from these files or folders added (comma-separated)"),
    DV_STRING(eval_options, snr, "20,10,5,0", "signal-to-noise ratios for --noise, dB"),
    DV_INT(eval_options, noise_seed, "0", 0, 4294967295.0,
           "random seed that chooses the stretches of the noise"),
    DV_PATH(eval_options, html, "", "write the report as a page to this file too"),
    DV_OUTPUT_FORCE(eval_options),
    DV_DEVICE_TO_ANSWER(eval_options),
    DV_PRECISION_TO_ANSWER(eval_options),
    DV_ALGORITHMS_TO_ANSWER(eval_options),
    DV_THREADS(eval_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox eval lightweight --data recordings --split official",
    "decavox eval runs/words/model.safetensors --html page.html",
    "decavox eval lightweight --data recordings --noise street --snr 10,0",
    NULL,
};

static const dv_options options = {
    .command = "eval",
    .brief = "measures a model on a data set",
    .operands = "CHECKPOINT",
    .summary =
        "Prints the accuracy with its 95 % Wilson interval, calibration, precision and recall "
        "of each class, and the confusion matrix. With --noise it measures once more at "
        "each signal-to-noise ratio.\n\n"
        "CHECKPOINT is a file, the folder of a run, or the name of a model that comes with "
        "decavox.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .fields = fields,
    .checkpoint = true,
};

/* ---- The evaluation ---- */

/* The parts of an evaluation. */
typedef struct evaluation {
    const eval_options *chosen;
    const char *const *words; /* (word_count) of the command line */
    size_t word_count;
    const char *checkpoint;
    dv_model *model;
    dv_evaluation *made;
    dv_noise_curve curve; /* no points: none is asked for */
    dv_outputs outputs;
} evaluation;

/* Prints device, data and part of an evaluation. */
static json_t *protocol_json(const evaluation *e)
{
    return json_pack("{s:o, s:o, s:o, s:s}", "checkpoint", dv_text_json(e->checkpoint), "data",
                     dv_text_json(e->made->data.path), "split", dv_text_json(e->made->data.split),
                     "part", dv_report_parts[e->chosen->part]);
}

/* Prints and writes the evaluation. */
static dv_status leave_json(const evaluation *e, const dv_report *report)
{
    json_t *json = dv_report_json(report, e->chosen->clips);
    dv_status status = json != NULL ? DV_OK : DV_FAIL(DV_ENOMEM, "out of memory: the report");
    if (status == DV_OK && e->curve.count > 0)
        status = dv_noise_curve_json(&e->curve, json);
    if (status == DV_OK && e->chosen->format == DV_FORMAT_JSON)
        status = dv_json_print(json, stdout);
    if (status != DV_OK || e->chosen->out[0] == '\0') {
        json_decref(json);
        return status;
    }
    if (json_object_set_new(json, "protocol", protocol_json(e)) != 0) {
        json_decref(json);
        return DV_FAIL(DV_ENOMEM, "out of memory: the report");
    }
    return dv_json_write(e->chosen->out, json);
}

/* Evaluates once more at each signal-to-noise ratio. */
static dv_status add_noise(evaluation *e, const dv_report *report)
{
    const eval_options *chosen = e->chosen;
    dv_log log = dv_command_log();
    if (e->curve.count == 0)
        return DV_OK;
    DV_TRY(dv_noise_curve_make(&e->curve, e->model, (int)chosen->threads, report, &e->made->dataset,
                               (dv_part)chosen->part, e->made->data.max_seconds, chosen->clips,
                               &log));
    if (chosen->format == DV_FORMAT_TEXT)
        dv_noise_curve_text(&e->curve, stdout);
    return DV_OK;
}

static dv_status tell(evaluation *e, const dv_report *report)
{
    const eval_options *chosen = e->chosen;
    bool paged = chosen->html[0] != '\0';
    dv_html_eval page = {.report = report,
                         .data = &e->made->data,
                         .curve = &e->curve,
                         .words = e->words,
                         .count = e->word_count};
    if (paged)
        DV_TRY(dv_report_html_begin(&page));
    if (chosen->format == DV_FORMAT_TEXT)
        dv_report_text(report, stdout);
    dv_status status = add_noise(e, report);
    if (status == DV_OK && paged)
        status = dv_report_html_eval(&page, chosen->html);
    free(page.mistakes);
    return status == DV_OK ? leave_json(e, report) : status;
}

/* Fails if more clips are unreadable than --allow_missing permits. The figure is told before. */
static dv_status check_missing(const eval_options *chosen, const dv_report *report)
{
    if ((int64_t)report->missing <= chosen->allow_missing)
        return DV_OK;
    return DV_FAIL(DV_EFORMAT,
                   "%zu clip%s of the evaluated part cannot be read, and at most %lld may be "
                   "missing; --allow_missing %zu accepts that",
                   report->missing, dv_plural(report->missing), (long long)chosen->allow_missing,
                   report->missing);
}

/* Evaluates the loaded model on the chosen data, and prints the report. */
static dv_status evaluate(evaluation *e)
{
    const eval_options *chosen = e->chosen;
    dv_log log = dv_command_log();
    DV_TRY(dv_outputs_spare_tree(&e->outputs, dv_model_checkpoint(e->model)->config));
    const dv_evaluated asked = {chosen->data, chosen->split, chosen->exclude,
                                (dv_part)chosen->part};
    if (e->curve.count > 0)
        DV_TRY(dv_noise_curve_read(&e->curve, chosen->noise, e->model));
    DV_TRY(dv_evaluation_open(e->model, &asked, &log, &e->made));
    DV_TRY(dv_evaluation_run(e->made, (int)chosen->threads));
    DV_TRY(tell(e, &e->made->report));
    return check_missing(chosen, &e->made->report);
}

/* Reads the signal-to-noise ratios of --snr. */
static dv_status begin_noise(const eval_options *chosen, const dv_tree *given,
                             dv_noise_curve *curve)
{
    static const char *const belong[] = {"snr", "noise_seed"};
    if (dv_tree_get(given, "noise") != NULL)
        return dv_noise_curve_begin(chosen->snr, (uint64_t)chosen->noise_seed, curve);
    for (size_t i = 0; i < sizeof belong / sizeof belong[0]; i++) {
        if (dv_tree_get(given, belong[i]) != NULL)
            return DV_FAIL(DV_EARG,
                           "--%s has no effect without --noise: it says how noise is added",
                           belong[i]);
    }
    return DV_OK;
}

static dv_status check_ending(const char *out)
{
    if (dv_ends_with(out, ".html"))
        return DV_FAIL(DV_EARG, "--out writes JSON; --html FILE writes the page");
    if (dv_ends_with(out, ".csv"))
        return DV_FAIL(DV_EARG, "--out writes JSON, and '%s' has the ending of a table", out);
    return DV_OK;
}

static dv_status check_outputs(evaluation *e)
{
    const eval_options *chosen = e->chosen;
    e->outputs = (dv_outputs){
        .list = {{"--out", chosen->out, DV_OUTPUT_JSON}, {"--html", chosen->html, DV_OUTPUT_HTML}},
        .count = 2,
        .force = chosen->force,
        .reports = true};
    DV_TRY(dv_outputs_spare(&e->outputs, "the checkpoint", e->checkpoint));
    DV_TRY(dv_outputs_spare(&e->outputs, "--data", chosen->data));
    DV_TRY(dv_outputs_spare(&e->outputs, "--exclude", chosen->exclude));
    DV_TRY(dv_outputs_spare(&e->outputs, "--noise", chosen->noise));
    DV_TRY(dv_outputs_check(&e->outputs));
    return check_ending(chosen->out);
}

/* Outputs and ratios are checked before the model is loaded, so that a mistake is told at once. */
static int run(int argc, char **argv)
{
    eval_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    evaluation e = {.chosen = &chosen,
                    .words = (const char *const *)argv + 1,
                    .word_count = (size_t)argc - 1,
                    .checkpoint = arguments.operands[0]};
    dv_status status = check_outputs(&e);
    if (status == DV_OK)
        status = begin_noise(&chosen, arguments.given, &e.curve);
    if (status == DV_OK)
        status = dv_command_open_model(e.checkpoint, chosen.device, chosen.precision,
                                       chosen.algorithms, &e.model);
    if (status == DV_OK)
        status = evaluate(&e);
    dv_evaluation_free(e.made);
    dv_noise_curve_free(&e.curve);
    dv_model_close(e.model);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("eval", status);
}

const dv_command dv_command_eval = {&options, run};
